package main

import (
	"errors"
	"log/slog"
	"slices"
	"syscall"

	"intercom/internal/journal"
	"intercom/internal/records"
)

// diskFails says that a file cannot be had because of the disk it is on, and not because of
// the configuration: a door rings all the same, and says what it cannot write.
func diskFails(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT, syscall.EIO,
		syscall.EUCLEAN, syscall.EBADMSG, // what file systems say of damage
	}, func(e error) bool { return errors.Is(err, e) })
}

// openJournal opens the journal's file, which is there. One on a disk that fails is tried again
// with each event.
func (c *config) openJournal(log *slog.Logger) (*journal.Journal, error) {
	return tryDisk(c, "journal.file", log,
		func() (*journal.Journal, error) { return journal.Open(c.Journal.File, c.Journal.Size<<20) },
		func() (*journal.Journal, error) { return journal.Later(c.Journal.File, c.Journal.Size<<20), nil })
}

// openRecords opens the folder of visitors whom nobody answered; nil: there is none.
func (c *config) openRecords(log *slog.Logger) (*records.Store, error) {
	if c.Records.Folder == "" {
		return nil, nil
	}
	return tryDisk(c, "records.folder", log,
		func() (*records.Store, error) { return records.Open(c.Records.Folder, c.Records.limits()) },
		func() (*records.Store, error) { return records.New(c.Records.Folder, c.Records.limits()) })
}

// tryDisk opens what a key names now, or later if its disk fails.
func tryDisk[T any](c *config, key string, log *slog.Logger, now, later func() (*T, error)) (*T, error) {
	v, err := now()
	if diskFails(err) {
		log.Error("the station starts without a disk to write to", "for", key, "cause", err)
		v, err = later()
	}
	if err != nil {
		return nil, exitError{exitConfig, c.wrong(key, "%v", err)}
	}
	return v, nil
}
