package tuning

import (
	"bytes"
	"strings"
	"testing"
)

// What changes a setting is said with its name, and once.
func TestHowIsNamed(t *testing.T) {
	var out bytes.Buffer
	err := WriteTable(&out, []Finding{{Name: "a", How: "x"}, {Name: "b", How: "y"},
		{Name: "c", How: "x", Advice: true}, {Name: "d", How: "z", OK: true}, {Name: "e"}})
	if _, how, _ := strings.Cut(out.String(), "\n\n"); err != nil ||
		how != "To change it:\n  a, c: x\n  b: y\n" {
		t.Errorf("%v, %s", err, how)
	}
}
