package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The names of files.
const (
	lockName    = "lock"
	currentName = "history"
	usedName    = "history.used"
	newName     = "history.new"
	badName     = "history.bad-"
)

// Dir is a directory that this process has for itself. Its methods are for one goroutine at a time.
type Dir struct {
	path   string
	lock   *os.File
	create func(path string) (file, error) // a test's disk may be full
}

// file is one that is written.
type file interface {
	io.WriteCloser
	Sync() error
}

// Open takes a directory, and makes it if it is missing. It fails if another process has it.
func Open(path string) (*Dir, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	name := filepath.Join(path, lockName)
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock, create: func(path string) (file, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	}}
	if err := d.take(); err != nil {
		lock.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dir) take() error {
	err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(d.lock, 20))
		return fmt.Errorf("process %s uses it: expected a directory for this server alone",
			strings.TrimSpace(string(pid)))
	}
	if err != nil {
		return fmt.Errorf("%s cannot be locked: %w", d.lock.Name(), err)
	}
	if err := d.lock.Truncate(0); err != nil {
		return err
	}
	_, err = d.lock.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	return err
}

// Close lets another process have the directory.
func (d *Dir) Close() { d.lock.Close() }

// Use says that what was written last is no longer all that there is: the process serves from here
// on. After an error it must not.
func (d *Dir) Use() error {
	err := os.Rename(d.name(currentName), d.name(usedName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.sync()
	}
	return err
}

func (d *Dir) name(name string) string { return filepath.Join(d.path, name) }

// sync makes the names of files last.
func (d *Dir) sync() error {
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
