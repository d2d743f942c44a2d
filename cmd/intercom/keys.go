package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"intercom/internal/control"
)

// runPair pairs a phone of a resident with the running station.
func runPair(ctx context.Context, in invocation) error {
	var flags clientFlags
	var phone string
	args, err := in.parse("pair", 1, 1, func(fs *flag.FlagSet) {
		flags.defineFormat(fs)
		fs.StringVar(&phone, "name", "", "what the phone is called, for people")
	})
	if err != nil {
		return err
	}
	return pairing(ctx, in, &flags, func(ctx context.Context, c *control.Client) (control.Pairing, error) {
		return c.Pair(ctx, args[0], phone)
	})
}

// pairing shows a new secret: once, to whoever asked for it.
func pairing(ctx context.Context, in invocation, flags *clientFlags, make func(context.Context, *control.Client) (control.Pairing, error)) error {
	if err := flags.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return flags.station(ctx, func(c *control.Client) error {
		p, err := make(ctx, c)
		if err != nil {
			return err
		}
		if flags.format == "json" {
			return json.NewEncoder(in.stdout).Encode(p)
		}
		return printPairing(in.stdout, p)
	})
}

func printPairing(w io.Writer, p control.Pairing) error {
	if err := printQR(w, p.Link); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n\nScan it with the app of %s, or open the link there. It is the key to the door: it is not shown again.\n"+
		"When the phone is lost: intercom keys revoke %s\n", p.Link, p.Key.Resident, p.Key.ID)
	return err
}

// runKeys lists the keys of paired phones, or changes one.
func runKeys(ctx context.Context, in invocation) error {
	var flags clientFlags
	args, err := in.parse("keys", 0, 2, flags.defineFormat)
	if err != nil {
		return err
	}
	what := "list"
	if len(args) > 0 {
		what = args[0]
	}
	switch {
	case what == "list" && len(args) < 2:
		return listKeys(ctx, in, &flags)
	case what == "revoke" && len(args) == 2:
		return revokeKey(ctx, in, &flags, args[1])
	case what == "rotate" && len(args) == 2:
		return pairing(ctx, in, &flags, func(ctx context.Context, c *control.Client) (control.Pairing, error) { return c.Rotate(ctx, args[1]) })
	}
	return exitError{exitUsage, fmt.Errorf("takes list, revoke ID or rotate ID; see intercom help")}
}

func listKeys(ctx context.Context, in invocation, flags *clientFlags) error {
	if err := flags.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return flags.station(ctx, func(c *control.Client) error {
		keys, err := c.Keys(ctx)
		if err != nil {
			return err
		}
		if flags.format == "json" {
			if keys == nil {
				keys = []control.Key{}
			}
			return json.NewEncoder(in.stdout).Encode(keys)
		}
		if len(keys) == 0 {
			_, err := fmt.Fprintln(in.stdout, "no phone is paired; see intercom pair")
			return err
		}
		t := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "KEY\tRESIDENT\tPHONE\tPAIRED")
		for _, k := range keys {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.ID, k.Resident, k.Name, k.Paired.Local().Format(time.DateTime))
		}
		return t.Flush()
	})
}

func revokeKey(ctx context.Context, in invocation, flags *clientFlags, id string) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return flags.station(ctx, func(c *control.Client) error {
		k, err := c.Revoke(ctx, id)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(in.stdout, "key %s of %s opens nothing any more\n", k.ID, k.Resident)
		return err
	})
}
