package tuning

import (
	"errors"
	"strings"
)

// rule is a kernel setting and what is needed of it: as many numbers as it has, each at least so.
// One below 0 is at most so, without its sign.
type rule struct {
	name  string
	needs func(l Load) []int64
	// streams are held with these, and needs are advice; nil: they are not
	least  func(l Load) []int64
	exact  bool // a switch: not at least, but just that
	advice bool // streams are held without it
	why    func(l Load) string
	source string
	usual  string // what current kernels have by default; "": that depends on the memory
	// spare says why a host needs no certain value; "" where it does. h is nil for any host.
	spare func(h *Host, l Load) string
}

// matters reports whether a host needs a certain value.
func (r *rule) matters(h *Host, l Load) bool { return r.spare == nil || r.spare(h, l) == "" }

// check compares a kernel setting with what is needed.
func (r *rule) check(h *Host, l Load) Finding {
	f := Finding{Name: r.name, Kind: Sysctl, Scope: scope(r.name), Needed: join(r.needs(l)),
		Why: r.why(l), Source: r.source, Advice: r.advice}
	now, err := h.Sysctl(r.name)
	f.Now = now
	switch {
	case errors.Is(err, ErrNoSysctl) && h.hides(r.name):
		f.Now, f.Advice = "not seen", true
		f.Why += "; it is the host's, and not to be seen from this network namespace"
		f.How = "on the host: ssedge tune, or tuning/apply.sh"
	case errors.Is(err, ErrNoSysctl):
		f.Now, f.Needed, f.OK, f.Why = "not there", "any", true, "this kernel has no such setting"
	case err != nil:
		f.Now, f.Advice, f.How = "cannot be read", true, err.Error()
	case !r.matters(h, l):
		f.Needed, f.OK, f.Why = "any", true, r.spare(h, l)
	default:
		f.raised, f.OK = r.raised(now, l)
		if !f.OK && r.least != nil {
			if f.Advice = enough(now, r.least(l)); !f.Advice {
				f.Needed = join(r.least(l))
			}
		}
		f.How = howSysctl(h, r.name, f.raised)
	}
	return f
}

// raised is the value that a setting should have, given what it has: each of its numbers is raised
// if it is less than needed, and left if it is more. ok says that nothing has to be changed.
func (r *rule) raised(now string, l Load) (value string, ok bool) {
	has := strings.Fields(now)
	needs := r.needs(l)
	ok = true
	values := make([]int64, len(needs))
	for i, need := range needs {
		n := int64(0)
		if i < len(has) {
			n = parse(has[i])
		}
		switch {
		case r.exact:
			values[i] = need
			ok = ok && n == need
		case need < 0: // at most
			values[i] = min(n, -need)
			ok = ok && n <= -need
		default:
			values[i] = max(n, need)
			ok = ok && n >= need
		}
	}
	return join(values), ok
}

// enough reports whether each number of a setting is at least as needed.
func enough(now string, needs []int64) bool {
	has := strings.Fields(now)
	for i, need := range needs {
		if i >= len(has) || parse(has[i]) < need {
			return false
		}
	}
	return true
}
