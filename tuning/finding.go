package tuning

import "slices"

// Kind is how a setting is changed.
type Kind string

const (
	Sysctl  Kind = "sysctl"  // a kernel setting
	Rlimit  Kind = "limit"   // of a process
	Cgroup  Kind = "cgroup"  // of a unit or container
	Setting Kind = "setting" // anything else, by hand
)

// Finding is one setting, and whether it is as it should be. It falls short where streams would be
// turned away or reset, or the process killed. What only makes them slower, or costs memory, is
// advice.
type Finding struct {
	Name   string `json:"name"`
	Kind   Kind   `json:"kind"`
	Scope  Scope  `json:"scope,omitempty"` // of a sysctl
	Now    string `json:"now"`
	Needed string `json:"needed"` // the least that does; "any": it does not matter here
	OK     bool   `json:"ok"`
	Why    string `json:"why"`    // in one line, with the arithmetic
	How    string `json:"how"`    // to change it
	Source string `json:"source"` // where it is described
	Advice bool   `json:"advice"` // it would be better, and streams are held all the same

	raised string // the value that it should have: what is needed, or what there is if that is more
}

// Short reports whether anything falls short.
func Short(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return !f.OK && !f.Advice })
}

// rank orders findings: those that fall short first, then advice.
func rank(f Finding) int {
	switch {
	case f.OK:
		return 2
	case f.Advice:
		return 1
	}
	return 0
}
