package setting

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// Numbers are taken as they are written. By default kong reads 010 as 8, 0x10 as 16 and 1_000 as a
// thousand, and Go takes NaN, Inf and 0x1p4 for numbers with a point: none of these is meant in a
// setting.
var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	decimal     = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// ParseWhole reads a whole number of so many bits, one of them for its sign.
func ParseWhole(text string, bits int) (int64, error) {
	if !wholeNumber.MatchString(text) {
		return 0, fmt.Errorf("expected a whole number in decimal digits, found %.40q", text)
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("expected a number of at most %d bits, found %.40q", bits-1, text)
	}
	return n, nil
}

// ParseDecimal reads a number that may have a point and an exponent.
func ParseDecimal(text string) (float64, error) {
	if !decimal.MatchString(text) {
		return 0, fmt.Errorf("expected a number in decimal digits, found %.40q", text)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("expected a number of at most %.1e, found %.40q", math.MaxFloat64,
			text)
	}
	return n, nil
}

// ParseDuration reads a time with its unit.
func ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil { // Go's reasons help only readers who know its rules
		return 0,
			fmt.Errorf("expected a duration with its unit, as in 500ms, 10s or 5m, found %.40q",
				text)
	}
	return d, nil
}
