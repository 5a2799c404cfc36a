package tuning

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// limitsText is what [LimitsFile] is to say, and the limit in it: what the load needs, no less than
// any file of limits says, and no more than nr_open, because users with a higher limit cannot log
// in. It is "" where the hard limit is enough.
func limitsText(root string, h *Host, l Load) (text string, limit int64) {
	said := configuredLimit(os.DirFS(root), "etc/security/limits.conf",
		"etc/security/limits.d/*.conf")
	if said == 0 && h.Files.Hard >= uint64(files(l)) {
		return "", 0
	}
	limit = max(files(l), said)
	if most := parse(value(root, "fs.nr_open")); most > 0 {
		limit = min(limit, most)
	}
	return fmt.Sprintf("# Open files for %s streams of ssedge, as `ssedge tune --connections %d --apply` has them. It raises the soft limit itself.\n* hard nofile %d\nroot hard nofile %d\n",
		thousands(l.Connections), l.Connections, limit, limit), limit
}

// configuredLimit is the highest hard limit on open files in a host's files of limits; 0 if they
// have none.
func configuredLimit(root fs.FS, patterns ...string) (most int64) {
	for _, name := range matches(root, patterns...) {
		for line := range strings.Lines(text(root, name)) {
			if words := strings.Fields(line); len(words) >= 4 && words[0][0] != '#' &&
				words[2] == "nofile" && words[1] != "soft" {
				switch words[3] {
				case "unlimited", "infinity", "-1":
					most = max(most, 1<<62)
				default:
					most = max(most, parse(words[3]))
				}
			}
		}
	}
	return most
}

// matches are the files that patterns name.
func matches(root fs.FS, patterns ...string) (names []string) {
	for _, pattern := range patterns {
		some, _ := fs.Glob(root, pattern) // wrong patterns only
		names = append(names, some...)
	}
	return names
}
