package tuning

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Saved is what [Undo] restores, as JSON in [SavedFile].
type Saved struct {
	Sysctls map[string]string  `json:"sysctls"` // values before the first Apply
	Files   map[string]*string `json:"files"`   // contents before it; nil: there was none
	// values since that are Apply's: what it was about to write, and what the kernel took
	Set     map[string][]string `json:"set"`
	Written map[string][]string `json:"written"` // and contents
}

// sets notes a value as one of Apply's.
func (s *Saved) sets(name, value string) { s.Set[name] = add(s.Set[name], value) }

// writes notes the contents of a file as Apply's.
func (s *Saved) writes(name, text string) { s.Written[name] = add(s.Written[name], text) }

func add(all []string, one string) []string {
	if slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// load reads what is saved; the error is fs.ErrNotExist, wrapped, if there is nothing.
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
	saved.fill()
	return saved, nil
}

// fill makes the maps that there are not.
func (s *Saved) fill() {
	if s.Sysctls == nil {
		s.Sysctls = map[string]string{}
	}
	if s.Files == nil {
		s.Files = map[string]*string{}
	}
	if s.Set == nil {
		s.Set = map[string][]string{}
	}
	if s.Written == nil {
		s.Written = map[string][]string{}
	}
}

func (s *Saved) store(root string) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(root, SavedFile), string(b))
}

// contents reads a file; nil if there is none.
func contents(file string) (*string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	text := string(b)
	return &text, nil
}

// same reports whether contents are alike.
func same(a, b *string) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// restore gives a file the contents that it had; nil: there was none.
func restore(file string, text *string) error {
	switch now, err := contents(file); {
	case err != nil:
		return err
	case same(now, text):
		return nil
	case text == nil:
		return os.Remove(file)
	}
	return replace(file, *text)
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
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
