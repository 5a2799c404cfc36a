package tuning

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func sysctlFile(root, name string) string {
	return filepath.Join(root, "proc/sys", strings.ReplaceAll(name, ".", "/"))
}

// value is a kernel setting's as it is now, its numbers separated by single blanks; "" if it cannot
// be read.
func value(root, name string) string {
	b, _ := os.ReadFile(sysctlFile(root, name))
	return strings.Join(strings.Fields(string(b)), " ")
}

// set changes a kernel setting. A kernel that refuses one of several numbers has taken those before
// it: they are put back.
func set(root, name, wanted string) error {
	before := value(root, name)
	err := write(sysctlFile(root, name), wanted)
	if err != nil && value(root, name) != before {
		err = errors.Join(err, write(sysctlFile(root, name), before))
	}
	return err
}

// write gives a value to the kernel. Tests have kernels of their own.
var write = func(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, value+"\n")
	return errors.Join(err, f.Close())
}

// writable says why none of some settings can be written; nil if one can be, or there are none.
func writable(root string, changes []Change) (err error) {
	for _, c := range changes {
		if c.Left != "" {
			continue
		}
		f, e := os.OpenFile(sysctlFile(root, c.Name), os.O_WRONLY, 0)
		if e == nil {
			f.Close()
			return nil
		}
		err = e
	}
	return err
}
