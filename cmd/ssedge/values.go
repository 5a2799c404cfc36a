package main

import (
	"fmt"
	"reflect"
	"time"

	"github.com/alecthomas/kong"

	"ssedge/engine/setting"
)

// How kong reads the values of flags: as settings are read everywhere (package setting). By default
// it takes a number for nanoseconds, 010 for 8, and NaN for a number.
var (
	whole = valued("number", func(text string, to reflect.Type) (any, error) {
		return setting.ParseWhole(text, to.Bits())
	})
	decimal = valued("number", func(text string, _ reflect.Type) (any, error) {
		return setting.ParseDecimal(text)
	})
	duration = valued("duration", func(text string, _ reflect.Type) (any, error) {
		return setting.ParseDuration(text)
	})
	size = valued("size", func(text string, _ reflect.Type) (any, error) {
		return setting.ParseSize(text)
	})
)

// durationType is the type of flags that are times.
var durationType = reflect.TypeFor[time.Duration]()

// valued makes a mapper of a function that reads a value.
func valued(what string, parse func(text string, to reflect.Type) (any, error)) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		token, err := ctx.Scan.PopValue(what)
		if err != nil {
			return err
		}
		value, err := parse(fmt.Sprint(token.Value), target.Type())
		if err == nil {
			target.Set(reflect.ValueOf(value).Convert(target.Type()))
		}
		return err
	}
}

// isSize reports whether a flag is a number of bytes.
func isSize(flag *kong.Flag) bool { return flag.Tag.Type == "size" }
