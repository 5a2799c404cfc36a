package tuning

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// Files that [Apply] writes, below the root directory.
const (
	DropInFile = "etc/sysctl.d/60-ssedge.conf"
	LimitsFile = "etc/security/limits.d/60-ssedge.conf"
	SavedFile  = "var/lib/ssedge/tune-undo.json" // what was there before
)

// Change is a kernel setting that was changed, or was to be, or a file.
type Change struct {
	Name, Before, Wanted string
	After                string // what the kernel took; the same as wanted, or another value
	Err                  error  // it was refused
	Left                 string // why it was left as it is
	File                 string // what became of a file: "removed" or "restored"
}

// Refused reports whether it was to be made, and was not, or not wholly.
func (c Change) Refused() bool {
	return c.Left == "" && c.File == "" && (c.Err != nil || c.After != c.Wanted)
}

// Apply writes the drop-in file and limits for a load below root ("/"), changes what falls short
// now, and reads back what the kernel took. What was there before is saved first: if that, or one
// of the files, cannot be written, or no setting can, nothing is changed, and the error says so.
// Settings that are refused are in the changes.
func Apply(root string, h *Host, l Load) ([]Change, error) {
	saved, err := load(root)
	if errors.Is(err, fs.ErrNotExist) {
		saved, err = &Saved{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("nothing was changed: %w", err)
	}
	saved.fill()
	changes := planned(h, l)
	if err := writable(root, changes); err != nil {
		where := "root is needed"
		if !errors.Is(err, fs.ErrPermission) {
			where = "in a container settings are changed from outside: ssedge tune says how"
		}
		return nil, fmt.Errorf("nothing was changed: %w (%s)", err, where)
	}
	for _, c := range changes {
		if c.Left != "" {
			continue
		}
		if _, ok := saved.Sysctls[c.Name]; !ok {
			saved.Sysctls[c.Name] = c.Before
		}
		saved.sets(c.Name, c.Wanted)
	}
	limits, limit := limitsText(root, h, l)
	before, err := writeFiles(root, saved,
		map[string]string{DropInFile: dropIn(h, l, readBoot(os.DirFS(root), saved)),
			LimitsFile: limits})
	if err != nil {
		return nil, fmt.Errorf("nothing was changed: %w", errors.Join(err, before.restore(root)))
	}
	for i := range changes {
		if c := &changes[i]; c.Left == "" {
			c.Err = set(root, c.Name, c.Wanted)
			c.After = value(root, c.Name)
			saved.sets(c.Name, c.After)
		}
	}
	// The limit may be higher now that nr_open is.
	if limits != "" {
		wanted := max(files(l), limit)
		limits, limit = limitsText(root, h, l)
		saved.writes(LimitsFile, limits)
		err = errors.Join(saved.store(root), replace(filepath.Join(root, LimitsFile), limits))
		changes = append(changes, Change{
			Name: "hard limit on open files, for new logins", Before: unlimited(h.Files.Hard),
			Wanted: strconv.FormatInt(wanted, 10), After: strconv.FormatInt(limit, 10),
		})
	}
	return changes, errors.Join(err, saved.store(root))
}

// planned are the changes that a host needs, and the settings that it does not have.
func planned(h *Host, l Load) (changes []Change) {
	for i := range rules {
		f := rules[i].check(h, l)
		switch {
		case f.raised != "" && !f.OK:
			changes = append(changes, Change{Name: f.Name, Before: f.Now, Wanted: f.raised})
		case f.Now == "not seen":
			changes = append(changes,
				Change{Name: f.Name,
					Left: "it is the host's, and not to be seen from this network namespace"})
		case f.raised == "" && (f.Now == "not there" || !f.OK):
			changes = append(changes, Change{Name: f.Name, Left: f.Why})
		}
	}
	return changes
}

// previous is files as they were before; nil: there was none.
type previous map[string]*string

func (w previous) restore(root string) (err error) {
	for name, text := range w {
		err = errors.Join(err, restore(filepath.Join(root, name), text))
	}
	return err
}

// writeFiles writes what is saved, and then those of the texts that are not empty.
func writeFiles(root string, saved *Saved, texts map[string]string) (before previous, err error) {
	before = previous{}
	for _, name := range []string{SavedFile, DropInFile, LimitsFile} {
		if before[name], err = contents(filepath.Join(root, name)); err != nil {
			return nil, err
		}
		if text := texts[name]; text != "" {
			if _, ok := saved.Files[name]; !ok {
				saved.Files[name] = before[name]
			}
			saved.writes(name, text)
		}
	}
	if err := saved.store(root); err != nil {
		return nil, err
	}
	for _, name := range []string{DropInFile, LimitsFile} {
		if text := texts[name]; text != "" {
			if err := replace(filepath.Join(root, name), text); err != nil {
				return before, err
			}
		}
	}
	return before, nil
}
