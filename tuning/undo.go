package tuning

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Undo restores what was there before the first [Apply], and forgets it. What was changed since by
// other means stays, and is said with what it was before. Where something cannot be restored, the
// rest is, and what was saved is kept for another try.
func Undo(root string) ([]Change, error) {
	saved, err := load(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is nothing to undo: no %s", filepath.Join(root, SavedFile))
	} else if err != nil {
		return nil, err
	}
	var changes []Change
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(saved.Files)) {
		file := filepath.Join(root, name)
		now, err := contents(file)
		if err == nil && now != nil && !slices.Contains(saved.Written[name], *now) &&
			(saved.Files[name] == nil || *now != *saved.Files[name]) {
			changes = append(changes, Change{Name: file, Left: "it was changed since"})
			continue
		}
		already := err == nil && same(now, saved.Files[name])
		if err == nil {
			err = restore(file, saved.Files[name])
		}
		switch {
		case err != nil:
			failed = append(failed, err)
		case already:
		case saved.Files[name] == nil:
			changes = append(changes, Change{Name: file, File: "removed"})
		default:
			changes = append(changes, Change{Name: file, File: "restored"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(saved.Sysctls)) {
		c := Change{Name: name, Before: value(root, name), Wanted: saved.Sysctls[name]}
		c.After = c.Before
		switch {
		case c.Before == c.Wanted:
			continue
		case !slices.Contains(saved.Set[name], c.Before):
			c.Left = fmt.Sprintf("it was changed since to %s; before, it was: sysctl -w %s=%q",
				c.Before, name, c.Wanted)
		default:
			c.Err = set(root, name, c.Wanted)
			c.After = value(root, name)
			if c.Refused() {
				failed = append(failed, fmt.Errorf("%s is not restored", name))
			}
		}
		changes = append(changes, c)
	}
	if err := errors.Join(failed...); err != nil {
		return changes, fmt.Errorf("%s is kept for another try: %w", filepath.Join(root, SavedFile),
			err)
	}
	return changes, os.Remove(filepath.Join(root, SavedFile))
}
