package shard

import (
	"fmt"
	"testing"

	"ssedge/shard/log"
)

// Metric labels and log fields: each value has a name, and one of its own.
func TestNamesAreThereAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	check := func(kind string, v fmt.Stringer) {
		if name := kind + " " + v.String(); v.String() == "" || seen[name] {
			t.Errorf("%s is named %q, which is empty or taken", kind, v)
		} else {
			seen[name] = true
		}
	}
	for _, r := range CloseReasons() {
		check("reason", r)
	}
	for _, c := range log.GapCauses() {
		check("cause", c)
	}
	for _, p := range enumerate(policies) {
		check("policy", p)
	}
	if want := int(closeReasons) + int(log.GapCausesMax) - 1 + int(policies); len(seen) != want {
		t.Errorf("%d names, want %d", len(seen), want)
	}
}

func TestParsePolicyIsTheInverseOfItsName(t *testing.T) {
	for _, p := range enumerate(policies) {
		if got, ok := ParsePolicy(p.String()); !ok || got != p {
			t.Errorf("%v is read as %v, %v", p, got, ok)
		}
	}
	for _, name := range []string{"", "Gap", "newest"} {
		if got, ok := ParsePolicy(name); ok {
			t.Errorf("%q is read as %v", name, got)
		}
	}
}
