package vm

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// withFiles writes the guest's root file system with files of Config.Files behind it into Out, and
// returns its path: the kernel unpacks one archive after the other.
func withFiles(c Config) (string, error) {
	root := filepath.Join(c.Guest, initramfs)
	if len(c.Files) == 0 {
		return root, nil
	}
	all, err := os.ReadFile(root)
	if err != nil {
		return "", err
	}
	all = append(all, make([]byte, -len(all)&3)...)
	var a archive
	var made []string
	for to, from := range c.Files {
		s, err := os.Stat(from)
		if err != nil {
			return "", err
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		for i, r := range to { // its folders
			if dir := strings.TrimPrefix(to[:i], "/"); r == '/' && dir != "" && !slices.Contains(made, dir) {
				made = append(made, dir)
				a.add(dir, 0o040755, nil)
			}
		}
		a.add(strings.TrimPrefix(path.Clean(to), "/"), 0o100000|uint32(s.Mode().Perm()), content)
	}
	a.add("TRAILER!!!", 0, nil)
	out := filepath.Join(c.Out, initramfs)
	return out, os.WriteFile(out, append(all, a.Bytes()...), 0o644)
}

// archive is one of cpio's format "newc", which the kernel reads.
type archive struct {
	bytes.Buffer
	files int
}

func (a *archive) add(name string, mode uint32, content []byte) {
	a.files++
	// Magic, inode, mode, owner, group, links, time, size, device twice, of the file twice, the
	// name's length, checksum.
	fmt.Fprintf(a, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", a.files, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.Write(content)
	a.pad()
}

func (a *archive) pad() { a.Write(make([]byte, -a.Len()&3)) }
