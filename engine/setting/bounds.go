package setting

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
)

// Fail takes an error about a setting, and goes on: all that is wrong is said at once.
type Fail = func(format string, args ...any)

// Check holds each setting of a group to its range and its unit.
func Check(group any, fail Fail) {
	for _, o := range All(group) {
		if err := o.check(); err != nil {
			fail("%v: %w", o, err)
		}
	}
}

func (o One) check() error {
	text, ok := o.Tag.Lookup("range")
	if !ok {
		return nil
	}
	r := o.bounds(text)
	n := number(o.Value)
	if n == 0 && r.zero {
		return nil
	}
	if !(r.least <= n && n <= r.most) || math.IsInf(n, 0) { // what is no number is in no range
		return fmt.Errorf("expected %s", r.text)
	}
	if text := o.Tag.Get("unit"); text != "" {
		unit, err := time.ParseDuration(text)
		if err != nil {
			panic(fmt.Sprintf("%s: unit: %v", o.Path, err))
		}
		if o.Value.Int()%int64(unit) != 0 {
			return fmt.Errorf("expected a multiple of %v", unit)
		}
	}
	return nil
}

// number is the value as it is kept: a time in nanoseconds. Numbers above 2^53 are rounded, which
// is far above all bounds.
func number(v reflect.Value) float64 {
	if v.CanInt() {
		return float64(v.Int())
	}
	return v.Float()
}

// bounds are what a range says.
type bounds struct {
	zero        bool // 0 is taken, too
	least, most float64
	text        string // in words
}

// countMax bounds what is counted, where its range does not: it may be counted in 32 bits.
const countMax = math.MaxInt32

func (o One) bounds(text string) bounds {
	r := bounds{least: math.Inf(-1), most: math.MaxFloat64}
	text, r.zero = strings.CutPrefix(text, "0 or ")
	least, most, ok := strings.Cut(text, "..")
	if o.Value.Kind() == reflect.Int && !o.IsSize() && most == "" {
		most = fmt.Sprint(countMax)
	}
	if !ok || least == "" {
		panic(fmt.Sprintf("%s: range: expected LEAST..MOST or LEAST.., found %q", o.Path, text))
	}
	r.least, r.text = o.bound(least), least+" or more"
	if most != "" {
		r.most, r.text = o.bound(most), least+" to "+most
	}
	if r.zero {
		r.text = "0, or " + r.text
	}
	return r
}

func (o One) bound(text string) float64 {
	value, err := o.parse(text)
	if err != nil {
		panic(fmt.Sprintf("%s: range: %v", o.Path, err))
	}
	return number(value)
}
