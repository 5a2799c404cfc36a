package tuning

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files that [Apply] writes, below the root directory.
const (
	DropInFile = "etc/sysctl.d/60-ssedge.conf"
	LimitsFile = "etc/security/limits.d/60-ssedge.conf"
	SavedFile  = "var/lib/ssedge/tune-undo.json" // what was there before
)

// Saved is what [Undo] restores.
type Saved struct {
	Sysctls map[string]string  `json:"sysctls"` // values before the first Apply
	Files   map[string]*string `json:"files"`   // contents before it; nil: there was none
}

// Change is a kernel setting that was changed, or was to be.
type Change struct {
	Name, Before, Wanted string
	After                string // what the kernel took; the same as wanted, or another value
	Err                  error  // it was refused
}

// Apply writes the drop-in file and limits for a load below root ("/"), changes what falls short now, and reads
// back what the kernel took. What was there before is saved first: if that, or one of the files, cannot
// be written, nothing is changed, and the error says so. Settings that are refused are in the changes.
func Apply(root string, h *Host, l Load) ([]Change, error) {
	saved, err := load(root)
	if errors.Is(err, fs.ErrNotExist) {
		saved, err = &Saved{Sysctls: map[string]string{}, Files: map[string]*string{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("nothing was changed: %w", err)
	}
	var changes []Change
	for i := range rules {
		r := &rules[i]
		if r.if_ != nil && !r.if_(h, l) {
			continue
		}
		if f := r.check(h, l); !f.OK {
			changes = append(changes, Change{Name: f.Name, Before: f.Now, Wanted: f.Needed})
			if _, ok := saved.Sysctls[f.Name]; !ok {
				saved.Sysctls[f.Name] = f.Now
			}
		}
	}
	n := files(l)
	texts := map[string]string{
		DropInFile: DropIn(h, l),
		LimitsFile: fmt.Sprintf("# Open files for %s streams of ssedge, as `ssedge tune --connections %d --apply` has them.\n* soft nofile %d\n* hard nofile %d\nroot soft nofile %d\nroot hard nofile %d\n",
			thousands(l.Connections), l.Connections, n, n, n, n),
	}
	for name := range texts {
		if _, ok := saved.Files[name]; ok {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, name))
		switch {
		case err == nil:
			text := string(b)
			saved.Files[name] = &text
		case errors.Is(err, fs.ErrNotExist):
			saved.Files[name] = nil
		default:
			return nil, fmt.Errorf("nothing was changed: %w", err)
		}
	}
	b, err := json.MarshalIndent(saved, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := replace(filepath.Join(root, SavedFile), string(b)); err != nil {
		return nil, fmt.Errorf("nothing was changed: %w", err)
	}
	for _, name := range []string{DropInFile, LimitsFile} {
		if err := replace(filepath.Join(root, name), texts[name]); err != nil {
			_, undone := Undo(root)
			return nil, errors.Join(fmt.Errorf("nothing was changed: %w", err), undone)
		}
	}
	for i := range changes {
		c := &changes[i]
		c.Err = set(root, c.Name, c.Wanted)
		c.After, _ = h.Sysctl(c.Name)
	}
	return changes, nil
}

// Undo restores what was there before the first [Apply], and forgets it.
func Undo(root string) ([]Change, error) {
	saved, err := load(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is nothing to undo: no %s", filepath.Join(root, SavedFile))
	} else if err != nil {
		return nil, err
	}
	var failed []error
	for name, text := range saved.Files {
		file := filepath.Join(root, name)
		var err error
		if text == nil {
			if err = os.Remove(file); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		} else {
			err = replace(file, *text)
		}
		failed = append(failed, err)
	}
	var changes []Change
	for name, value := range saved.Sysctls {
		b, _ := os.ReadFile(sysctlFile(root, name))
		c := Change{Name: name, Before: strings.Join(strings.Fields(string(b)), " "), Wanted: value, Err: set(root, name, value)}
		b, _ = os.ReadFile(sysctlFile(root, name))
		c.After = strings.Join(strings.Fields(string(b)), " ")
		changes = append(changes, c)
		failed = append(failed, c.Err)
	}
	if err := errors.Join(failed...); err != nil {
		return changes, err // what is saved stays, for another try
	}
	return changes, os.Remove(filepath.Join(root, SavedFile))
}

func load(root string) (*Saved, error) {
	file := filepath.Join(root, SavedFile)
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	saved := &Saved{}
	if err := json.Unmarshal(b, saved); err != nil {
		return nil, fmt.Errorf("%s: expected what --apply has saved: %w", file, err)
	}
	if saved.Sysctls == nil {
		saved.Sysctls = map[string]string{}
	}
	if saved.Files == nil {
		saved.Files = map[string]*string{}
	}
	return saved, nil
}

func sysctlFile(root, name string) string {
	return filepath.Join(root, "proc/sys", strings.ReplaceAll(name, ".", "/"))
}

// set changes a kernel setting.
func set(root, name, value string) error {
	f, err := os.OpenFile(sysctlFile(root, name), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, value+"\n")
	return errors.Join(err, f.Close())
}

// replace writes a file whole or not at all.
func replace(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".ssedge-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
