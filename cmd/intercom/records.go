package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"text/tabwriter"
	"time"

	"intercom/internal/records"
)

// runRecords lists and erases what was kept of visitors. It works on the folder: no station
// need be running.
func runRecords(_ context.Context, in invocation) error {
	path, folder, format, all := defaultConfig, "", "text", false
	args, err := in.parse("records", 0, 100, func(fs *flag.FlagSet) {
		fs.StringVar(&path, "config", path, "configuration `FILE`")
		fs.StringVar(&folder, "folder", "", "`PATH` of the records, in place of the configuration's")
		fs.StringVar(&format, "format", format, "`text` or json")
		fs.BoolVar(&all, "all", false, "erase all of them")
	})
	if err != nil {
		return err
	}
	verb := "list"
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	switch {
	case verb == "list" && len(args) == 0 && !all && (format == "text" || format == "json"):
	case verb == "erase" && all == (len(args) == 0):
	default:
		return exitError{exitUsage, errors.New("it is: records list [--format text|json], records erase ID..., or records erase --all")}
	}
	if folder == "" {
		c := defaults()
		if err := loadConfig(path, c); err != nil {
			return err
		}
		if folder = c.Records.Folder; folder == "" {
			return exitError{exitConfig, c.wrong("records.folder", "is empty: no records are kept")}
		}
	}
	store, err := records.Open(folder, records.Limits{})
	if err != nil {
		return err
	}
	if verb == "erase" {
		n, err := store.Erase(args...)
		fmt.Fprintf(in.stderr, "%d erased\n", n)
		return err
	}
	return in.listRecords(store, format)
}

func (in invocation) listRecords(store *records.Store, format string) error {
	list, err := store.List()
	if err != nil {
		return err
	}
	if format == "json" {
		for _, r := range list {
			if r.Picture != "" {
				r.Picture = store.Path(r)
			}
			if err := json.NewEncoder(in.stdout).Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
	for _, r := range list {
		picture := "no picture"
		if r.Picture != "" {
			picture = store.Path(r)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Time.Local().Format(time.DateTime), r.Name, r.Reason, picture)
	}
	return t.Flush()
}
