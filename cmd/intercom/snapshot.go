package main

import (
	"context"
	"os"

	"intercom/internal/control"
)

// runSnapshot writes a picture of the running station's camera to a file; "-" is the output.
func runSnapshot(ctx context.Context, in invocation) error {
	var flags clientFlags
	args, err := in.parse("snapshot", 1, 1, flags.define)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return flags.station(ctx, func(c *control.Client) error {
		picture, err := c.Snapshot(ctx)
		if err != nil {
			return err
		}
		if args[0] == "-" {
			_, err = in.stdout.Write(picture)
			return err
		}
		return os.WriteFile(args[0], picture, 0o600)
	})
}
