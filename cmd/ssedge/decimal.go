package main

import (
	"fmt"
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

// wholeDecimal is a kong.MapperFunc for int and int64.
func wholeDecimal(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("number")
	if err != nil {
		return err
	}
	text := fmt.Sprint(token.Value)
	if !wholeNumber.MatchString(text) {
		return fmt.Errorf("expected a whole number in decimal digits, found %.40q", text)
	}
	n, err := strconv.ParseInt(text, 10, target.Type().Bits())
	if err != nil {
		return fmt.Errorf("expected a number of at most %d bits, found %.40s", target.Type().Bits()-1, text)
	}
	target.SetInt(n)
	return nil
}

// decimal is a kong.MapperFunc for float64.
func decimal(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("number")
	if err != nil {
		return err
	}
	text := fmt.Sprint(token.Value)
	n, err := strconv.ParseFloat(text, target.Type().Bits())
	if err != nil || !number.MatchString(text) {
		return fmt.Errorf("expected a number in decimal digits, found %.40q", text)
	}
	target.SetFloat(n)
	return nil
}
