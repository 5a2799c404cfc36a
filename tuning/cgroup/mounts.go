package cgroup

import (
	"io/fs"
	"path"
	"strings"
)

// unified stands for all controllers of version 2.
const unified = ""

// mount is where some controllers' groups are to be seen.
type mount struct {
	point       string // without the slash in front
	root        string // the group that is seen there
	controllers map[string]bool
}

// has reports whether a group is seen below the mount.
func (m *mount) has(group string) bool {
	return m.root == "/" || group == m.root || strings.HasPrefix(group, m.root+"/")
}

// below is the path of a group from the mount on. A group that is outside (of another namespace:
// "/../x") counts as that of the mount: its own limits are not to be seen.
func (m *mount) below(group string) string {
	if !m.has(group) || strings.Contains(group+"/", "/../") {
		return ""
	}
	return strings.TrimPrefix(group, strings.TrimSuffix(m.root, "/"))
}

// mounts reads /proc/self/mountinfo (proc_pid_mountinfo(5)): … root mountpoint … - type source
// options. Where nothing is said, version 2 is looked for at its usual place.
func mounts(root fs.FS) (all []mount) {
	text, _ := fs.ReadFile(root, "proc/self/mountinfo")
	for line := range strings.Lines(string(text)) {
		left, right, _ := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if len(l) < 5 || len(r) < 3 {
			continue
		}
		m := mount{point: strings.TrimPrefix(unescape(l[4]), "/"), root: unescape(l[3]),
			controllers: map[string]bool{}}
		switch r[0] {
		case "cgroup2":
			m.controllers[unified] = true
		case "cgroup":
			for option := range strings.SplitSeq(r[2], ",") {
				m.controllers[option] = true
			}
		default:
			continue
		}
		all = append(all, m)
	}
	const usual = "sys/fs/cgroup"
	if _, err := fs.Stat(root, path.Join(usual, "cgroup.controllers")); all == nil && err == nil {
		all = []mount{{point: usual, root: "/", controllers: map[string]bool{unified: true}}}
	}
	return all
}

// unescape undoes how mountinfo writes blanks and backslashes.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace

// groups reads /proc/self/cgroup (cgroups(7)): hierarchy:controllers:group.
func groups(root fs.FS) map[string]string {
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[0] == "0" && parts[1] == "" {
			all[unified] = parts[2]
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			if controller != "" {
				all[controller] = parts[2]
			}
		}
	}
	return all
}
