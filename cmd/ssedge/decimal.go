package main

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"

	"github.com/alecthomas/kong"
)

// Numbers are taken as they are written. By default kong reads 010 as 8, 0x10 as 16 and 1_000 as a thousand, and Go takes NaN,
// Inf and 0x1p4 for numbers with a point: none of these is meant in a setting.
var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	number      = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// parseWhole reads a whole number of so many bits, one of them for its sign.
func parseWhole(text string, bits int) (int64, error) {
	if !wholeNumber.MatchString(text) {
		return 0, fmt.Errorf("expected a whole number in decimal digits, found %.40q", text)
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("expected a number of at most %d bits, found %.40q", bits-1, text)
	}
	return n, nil
}

// parseDecimal reads a number that may have a point and an exponent.
func parseDecimal(text string) (float64, error) {
	if !number.MatchString(text) {
		return 0, fmt.Errorf("expected a number in decimal digits, found %.40q", text)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("expected a number of at most %.1e, found %.40q", math.MaxFloat64, text)
	}
	return n, nil
}

// wholeDecimal is a kong.MapperFunc for int and int64.
func wholeDecimal(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("number")
	if err != nil {
		return err
	}
	n, err := parseWhole(fmt.Sprint(token.Value), target.Type().Bits())
	if err == nil {
		target.SetInt(n)
	}
	return err
}

// decimal is a kong.MapperFunc for float64.
func decimal(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("number")
	if err != nil {
		return err
	}
	n, err := parseDecimal(fmt.Sprint(token.Value))
	if err == nil {
		target.SetFloat(n)
	}
	return err
}
