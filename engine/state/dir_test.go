package state

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var now = time.UnixMilli(1_764_560_000_123)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func never() error { return nil }

// section hands these records over.
func section(records ...string) Section {
	return func(put func([]byte) error) error {
		for _, r := range records {
			if err := put([]byte(r)); err != nil {
				return err
			}
		}
		return nil
	}
}

func write(t *testing.T, d *Dir, clean bool, sections ...Section) {
	t.Helper()
	size, err := d.Write(now, clean, never, sections...)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(d.name(currentName))
	if err != nil || info.Size() != size || info.Mode().Perm() != 0o600 {
		t.Fatalf("found %v, %v: expected %d bytes for the owner alone", info, err, size)
	}
}

// read returns the records of two sections.
func read(t *testing.T, d *Dir) (records []string, found *Found, bad []Bad) {
	t.Helper()
	found, bad, err := d.Read(now, func(r *Reader, _ Found) error {
		records = nil
		for range 2 {
			for {
				record, err := r.Next()
				if err != nil {
					return err
				}
				if record == nil {
					break
				}
				records = append(records, string(record))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records, found, bad
}

func names(t *testing.T, d *Dir) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(d.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "made"))
	if records, found, bad := read(t, d); found != nil || len(records)+len(bad) > 0 {
		t.Errorf("an empty directory has %q, %v, %v", records, found, bad)
	}
	long := strings.Repeat("x", 3*bufferSize)
	for _, clean := range []bool{true, false} {
		write(t, d, clean, section("a", long, "\x00"), section("b"))
		records, found, bad := read(t, d)
		if !slices.Equal(records, []string{"a", long, "\x00", "b"}) || found == nil ||
			found.Clean != clean || !found.Written.Equal(now) || bad != nil {
			t.Errorf("found %.10q, %+v, %v", records, found, bad)
		}
	}
	if got := names(t, d); !slices.Equal(got, []string{currentName, lockName}) {
		t.Errorf("the directory has %q", got)
	}
}

// A clean file is clean for the first process that serves with it, and for no later one.
func TestAFileIsCleanOnce(t *testing.T) {
	d := open(t, t.TempDir())
	if err := d.Use(); err != nil { // there is none
		t.Fatal(err)
	}
	write(t, d, true, section("a"), section())
	for range 2 { // a process that reads it and does not come to serve
		if _, found, _ := read(t, d); found == nil || !found.Clean {
			t.Fatalf("found %+v, expected a clean file", found)
		}
	}
	if err := d.Use(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		records, found, _ := read(t, d)
		if found == nil || found.Clean || len(records) != 1 {
			t.Fatalf("found %q, %+v, expected a file that is not clean any more", records, found)
		}
		if err := d.Use(); err != nil {
			t.Fatal(err)
		}
	}
	write(t, d, true, section("b"), section())
	if records, found, _ := read(t, d); !slices.Equal(records, []string{"b"}) || !found.Clean {
		t.Errorf("found %q, %+v, expected the later file", records, found)
	}
	if got := names(t, d); !slices.Equal(got, []string{currentName, lockName}) {
		t.Errorf("the directory has %q", got)
	}
}

// No byte of a file can change, and none can be missing, without its being put aside.
func TestDamagedFilesArePutAside(t *testing.T) {
	d := open(t, t.TempDir())
	write(t, d, true, section("first", "second"), section("third"))
	whole, err := os.ReadFile(d.name(currentName))
	if err != nil {
		t.Fatal(err)
	}
	damaged := map[string][]byte{"more": append(slices.Clone(whole), 0)}
	for n := range whole {
		flipped := slices.Clone(whole)
		flipped[n] ^= 1 << (n % 8)
		damaged[fmt.Sprint("byte ", n)] = flipped
		damaged[fmt.Sprint("length ", n)] = whole[:n]
	}
	for name, text := range damaged {
		if err := os.WriteFile(d.name(currentName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		records, found, bad := read(t, d)
		if found != nil || len(records) > 0 || len(bad) != 1 || bad[0].Err == nil {
			t.Fatalf("%s: found %q, %+v, %+v", name, records, found, bad)
		}
		if aside, err := os.ReadFile(bad[0].Aside); err != nil || !bytes.Equal(aside, text) ||
			!strings.Contains(bad[0].Aside, badName+"2025") {
			t.Fatalf("%s: %s is not that file, %v", name, bad[0].Aside, err)
		}
		os.Remove(bad[0].Aside)
	}
	newer := slices.Clone(whole)
	newer[len(magic)] = 2
	os.WriteFile(d.name(currentName), newer, 0o600)
	if _, _, bad := read(t, d); len(bad) != 1 ||
		bad[0].Err.Error() != "it has version 2: expected 1" {
		t.Errorf("another version: %+v", bad)
	}
	// the file before is still there: it is not clean
	os.WriteFile(d.name(usedName), whole, 0o600)
	os.WriteFile(d.name(currentName), newer, 0o600)
	if records, found, bad := read(t, d); len(records) != 3 || found.Clean || len(bad) != 1 {
		t.Errorf("found %q, %+v, %+v: expected the file before", records, found, bad)
	}
}

// A file that load refuses is bad, too.
func TestAFileThatCannotBeLoadedIsPutAside(t *testing.T) {
	d := open(t, t.TempDir())
	write(t, d, true, section("a"))
	_, bad, err := d.Read(now, func(r *Reader, _ Found) error {
		for {
			if _, err := r.Next(); err != nil { // there is one section
				return err
			}
		}
	})
	if err != nil || len(bad) != 1 || !strings.Contains(bad[0].Err.Error(), "ends early") {
		t.Errorf("found %+v, %v", bad, err)
	}
}

// full is a file on a disk that is full after some bytes, or that cannot be synced.
type full struct {
	*os.File
	left   int
	unsync bool
}

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return 0, unix.ENOSPC
	}
	f.left -= len(b)
	return f.File.Write(b)
}

func (f *full) Sync() error {
	if f.unsync {
		return unix.EIO
	}
	return f.File.Sync()
}

// Whatever keeps a file from being written, the one before stays, and nothing else.
func TestAFailedWriteKeepsTheFileBefore(t *testing.T) {
	d := open(t, t.TempDir())
	write(t, d, true, section("before"), section())
	usual, broken := d.create, errors.New("broken")
	on := func(f full) {
		d.create = func(path string) (file, error) {
			opened, err := usual(path)
			if err != nil {
				return nil, err
			}
			f.File = opened.(*os.File)
			return &f, nil
		}
	}
	stopped := 0
	for name, c := range map[string]struct {
		disk full
		stop func() error
		s    Section
		want error
	}{
		"full at once":   {full{}, never, section("x"), unix.ENOSPC},
		"full later":     {full{left: bufferSize}, never, section(strings.Repeat("x", 3*bufferSize)), unix.ENOSPC},
		"not synced":     {full{left: 1 << 30, unsync: true}, never, section("x"), unix.EIO},
		"broken section": {full{left: 1 << 30}, never, func(func([]byte) error) error { return broken }, broken},
		"stopped": {full{left: 1 << 30}, func() error {
			if stopped++; stopped > 2 {
				return broken
			}
			return nil
		}, section("x", "y", "z"), broken},
		"stopped at the end": {full{left: 1 << 30}, func() error { return broken }, section(), broken},
	} {
		on(c.disk)
		if _, err := d.Write(now, true, c.stop, c.s, section()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, expected %v", name, err, c.want)
		}
		records, found, _ := read(t, d)
		if !slices.Equal(records, []string{"before"}) || !found.Clean {
			t.Errorf("%s: found %q, %+v", name, records, found)
		}
		if got := names(t, d); !slices.Equal(got, []string{currentName, lockName}) {
			t.Errorf("%s: the directory has %q", name, got)
		}
	}
}

// A directory is one process's.
func TestADirectoryIsTakenOnce(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	if other, err := Open(path); err == nil || !strings.Contains(err.Error(),
		fmt.Sprintf("process %d uses it", os.Getpid())) {
		t.Errorf("opened again: %v, %v", other, err)
	}
	d.Close()
	again := open(t, path)
	if info, err := os.Stat(again.name(lockName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the lock is %v, %v", info.Mode(), err)
	}
	if _, err := Open(filepath.Join(path, "a", "b")); err == nil {
		t.Error("directories above are made, too")
	}
	file := filepath.Join(path, "file")
	os.WriteFile(file, nil, 0o600)
	if _, err := Open(file); err == nil {
		t.Error("a file is taken for a directory")
	}
}
