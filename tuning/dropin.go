package tuning

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// DropIn is a file for /etc/sysctl.d: every kernel setting that a load needs, with its reason. A
// file sets, and does not compare, so it has only what falls short on a host, or would be better
// there; what is enough is a comment. Without a host (nil) what current kernels have by default is
// a comment, and so is what they size by the memory.
func DropIn(h *Host, l Load) string { return dropIn(h, l, boot{}) }

// boot is what files say of the settings at the next boot.
type boot struct {
	said map[string][]string // the values of each setting, in all files
	// and in the drop-in file that there is; without one, of what --apply has changed
	own map[string][]string
}

// readBoot reads it. What is saved was changed by --apply.
func readBoot(root fs.FS, saved *Saved) boot {
	b := boot{said: configuredSysctls(root, sysctlFiles...),
		own: configuredSysctls(root, DropInFile)}
	for name := range saved.Sysctls {
		b.own[name] = append([]string{}, b.own[name]...)
	}
	return b
}

// dropIn is the file that is to replace the one of a host: it has besides what that has, for a
// setting may be enough only because that file says so. No value is lower than any file has it.
func dropIn(h *Host, l Load, at boot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Kernel settings for a host that holds %s streams with ssedge: ssedge tune --connections %d --sysctl\n",
		thousands(l.Connections), l.Connections)
	if h == nil {
		b.WriteString("# This file sets, and does not compare: a host that has more is lowered. So on a host take ssedge tune --apply, tuning/apply.sh,\n")
		b.WriteString("# or what ssedge tune --sysctl prints there.\n")
	} else {
		b.WriteString("# It is for the host that it was made on, as that was: this file sets, and does not compare, and another host may have more.\n")
		b.WriteString("# What was enough is a comment. If that is so because of a 60-ssedge.conf, only ssedge tune --apply keeps it.\n")
	}
	b.WriteString("# It belongs into /etc/sysctl.d/60-ssedge.conf; then: sysctl --system\n")
	fmt.Fprintf(&b, "# Besides, ssedge must be allowed %s open files: LimitNOFILE=%d in its unit, or ulimit -n.\n",
		thousands(files(l)), files(l))
	set := map[string]bool{}
	for i := range rules {
		if r := &rules[i]; h == nil {
			r.lineOfAny(&b, l)
		} else if now, err := h.Sysctl(r.name); err == nil {
			set[r.name] = r.lineOfHost(&b, h, l, now, at)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(at.own)) {
		if values := at.own[name]; !set[name] && len(values) > 0 {
			fmt.Fprintf(&b, "\n# As this file had it before.\n%s = %s\n", name,
				values[len(values)-1])
		}
	}
	return b.String()
}

// lineOfAny is a setting of no certain host.
func (r *rule) lineOfAny(b *strings.Builder, l Load) {
	if !r.matters(nil, l) {
		fmt.Fprintf(b, "\n# %s is left alone: %s\n# (%s)\n", r.name, r.spare(nil, l), r.source)
		return
	}
	fmt.Fprintf(b, "\n# %s\n# (%s)\n", r.why(l), r.source)
	switch value, ok := r.raised(r.usual, l); {
	case r.usual == "":
		fmt.Fprintf(b, "# The kernel sizes it by the memory; where it is less: %s = %s\n", r.name,
			value)
	case ok:
		fmt.Fprintf(b, "# %s needs %s, and is %s by default.\n", r.name, join(r.needs(l)), r.usual)
	default:
		fmt.Fprintf(b, "%s = %s\n", r.name, value)
	}
}

// lineOfHost is a setting of a host that has it. It reports whether it is set, and no comment.
func (r *rule) lineOfHost(b *strings.Builder, h *Host, l Load, now string, at boot) bool {
	if !r.matters(h, l) {
		fmt.Fprintf(b, "\n# %s is left alone: %s\n# (%s)\n", r.name, r.spare(h, l), r.source)
		return false
	}
	fmt.Fprintf(b, "\n# %s\n# (%s)\n", r.why(l), r.source)
	value, ok := r.raised(now, l)
	if _, own := at.own[r.name]; ok && !own {
		fmt.Fprintf(b, "# %s needs %s, and is %s here.\n", r.name, join(r.needs(l)), now)
		return false
	}
	for _, said := range at.said[r.name] {
		value = r.higher(value, said)
	}
	fmt.Fprintf(b, "%s = %s\n", r.name, value)
	return true
}

// higher is a setting's value with each of its numbers as far as another one has it, if that is
// farther.
func (r *rule) higher(value, other string) string {
	a, b := strings.Fields(value), strings.Fields(other)
	if r.exact || len(a) != len(b) || strings.Trim(other, "0123456789 ") != "" {
		return value
	}
	needs := r.needs(Load{Connections: 1, Sources: 1})
	for i := range a {
		if x, y := parse(a[i]), parse(b[i]); needs[i] < 0 && y < x || needs[i] >= 0 && y > x {
			a[i] = b[i]
		}
	}
	return strings.Join(a, " ")
}

// sysctlFiles are the files that the kernel's settings are set from at boot.
var sysctlFiles = []string{
	"etc/sysctl.conf", "etc/sysctl.d/*.conf", "run/sysctl.d/*.conf",
	"usr/local/lib/sysctl.d/*.conf", "usr/lib/sysctl.d/*.conf", "lib/sysctl.d/*.conf",
}

// configuredSysctls are the values of settings in files of sysctl.d (man 5 sysctl.d).
func configuredSysctls(root fs.FS, patterns ...string) map[string][]string {
	all := map[string][]string{}
	for _, file := range matches(root, patterns...) {
		for line := range strings.Lines(text(root, file)) {
			name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "-"), "=")
			if name = strings.ReplaceAll(strings.TrimSpace(name), "/", "."); ok &&
				validSysctl(name) {
				all[name] = append(all[name], strings.Join(strings.Fields(value), " "))
			}
		}
	}
	return all
}
