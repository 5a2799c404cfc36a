package main

import (
	"fmt"
	"reflect"
	"time"

	"github.com/alecthomas/kong"
)

// parseDuration reads a time, from a flag, a variable or the file.
func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil { // Go's reasons help only readers who know its rules
		return 0, fmt.Errorf("expected a duration with its unit, as in 500ms, 10s or 5m, found %.40q", text)
	}
	return d, nil
}

// duration is a kong.MapperFunc for time.Duration. By default kong reads a number as nanoseconds.
func duration(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("duration")
	if err != nil {
		return err
	}
	d, err := parseDuration(fmt.Sprint(token.Value))
	if err == nil {
		target.SetInt(int64(d))
	}
	return err
}
