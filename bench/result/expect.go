package result

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Expectation is a bound that a figure must keep, such as p99<50ms.
type Expectation struct {
	Figure   string
	operator string
	bound    float64
	unit     string
	text     string
}

var expectation = regexp.MustCompile(`^\s*([A-Za-z][A-Za-z0-9_.-]*)\s*(<=|>=|<|>|=)\s*([0-9.]+(?:e[0-9]+)?)\s*([A-Za-zµ/×%]*)\s*$`)

// scales say how many of its first unit a unit is.
var scales = map[string]struct {
	base  string
	times float64
}{
	"us": {Microseconds, 1}, "µs": {Microseconds, 1}, "ms": {Microseconds, 1e3},
	"s": {Microseconds, 1e6},
	"B": {Bytes, 1}, "KiB": {Bytes, 1 << 10}, "MiB": {Bytes, 1 << 20}, "GiB": {Bytes, 1 << 30},
	"KB": {Bytes, 1e3}, "MB": {Bytes, 1e6}, "GB": {Bytes, 1e9},
	"/s": {PerSecond, 1}, "%": {Percent, 1}, "x": {Times, 1}, "×": {Times, 1},
}

// ParseExpectation reads NAME OP NUMBER UNIT. Whether there is a figure of that name only the
// result shows.
func ParseExpectation(text string) (Expectation, error) {
	parts := expectation.FindStringSubmatch(text)
	if parts == nil {
		return Expectation{},
			fmt.Errorf("expected a figure, <, <=, =, >= or >, and a number with its unit, as in p99<50ms; found %q",
				text)
	}
	bound, err := strconv.ParseFloat(parts[3], 64)
	if err != nil {
		return Expectation{}, fmt.Errorf("%q: expected a number, found %q", text, parts[3])
	}
	if _, known := scales[parts[4]]; !known && parts[4] != "" {
		return Expectation{},
			fmt.Errorf("%q: expected one of the units us, ms, s, B, KiB, MiB, GiB, KB, MB, GB, /s, %%, x, found %q",
				text, parts[4])
	}
	return Expectation{parts[1], parts[2], bound, parts[4], strings.TrimSpace(text)}, nil
}

func (e Expectation) String() string { return e.text }

// Of reports whether a result has the figure.
func (e Expectation) Of(r *Result) bool {
	_, ok := r.Figure(e.Figure)
	return ok
}

// Check returns nil if the result keeps the bound, and otherwise says by how much it does not, or
// that it cannot be told.
func (e Expectation) Check(r *Result) error {
	f, ok := r.Figure(e.Figure)
	if !ok {
		var names []string
		for _, f := range r.Figures {
			names = append(names, f.Name)
		}
		return fmt.Errorf("expected %v: %s has no figure %s, but %s", e, r.Scenario, e.Figure,
			strings.Join(names, ", "))
	}
	value, bound := f.Value, e.bound
	if err := e.Fits(f.Unit); err != nil {
		return fmt.Errorf("expected %w", err)
	}
	if e.unit != "" {
		value, bound = value*scales[f.Unit].times, bound*scales[e.unit].times
	}
	if !holds(value, e.operator, bound) {
		return fmt.Errorf("expected %v, found %s", e, Format(f.Value, f.Unit))
	}
	return nil
}

// Fits refuses a bound in another unit than the figure's, or in none.
func (e Expectation) Fits(unit string) error {
	if e.unit == "" && unit != "" {
		return fmt.Errorf("%v: %s is in %s: write %s%s%v%s", e, e.Figure, unit, e.Figure,
			e.operator, e.bound, unit)
	}
	if e.unit != "" && scales[unit].base != scales[e.unit].base {
		if unit == "" {
			return fmt.Errorf("%v: %s has no unit, found %q", e, e.Figure, e.unit)
		}
		return fmt.Errorf("%v: %s is in %q, not in %q", e, e.Figure, unit, e.unit)
	}
	return nil
}

func holds(value float64, operator string, bound float64) bool {
	switch operator {
	case "<":
		return value < bound
	case "<=":
		return value <= bound
	case ">":
		return value > bound
	case ">=":
		return value >= bound
	}
	return value == bound
}
