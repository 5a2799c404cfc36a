package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// exactly makes kong take text as it is. By default kong sends texts through JSON and splits lists
// by characters. Both silently turn every byte that is not UTF-8 into U+FFFD, so two keys could
// become equal. With exactly, texts and lists of texts keep their bytes, and the command checks
// them. In a map such bytes are refused. So is a name that is given twice: kong would take the last
// one. Numbers are decimal (decimal.go).
func exactly() kong.Option {
	exact := kong.NewRegistry().RegisterDefaults().RegisterKind(reflect.String,
		kong.MapperFunc(exactText))
	list := func(ctx *kong.DecodeContext, target reflect.Value) error {
		text, ok := ctx.Scan.Peek().Value.(string)
		switch all, ofTexts := target.Addr().Interface().(*[]string); {
		case ok && target.Kind() == reflect.Map && utf8.ValidString(text):
			if err := onlyOnce(text, ctx.Value.Tag.MapSep, target); err != nil {
				return err
			}
			return exact.ForType(target.Type()).Decode(ctx, target)
		case !ok || ctx.Value.Flag == nil || utf8.ValidString(text):
			return exact.ForType(target.Type()).Decode(ctx, target)
		case ofTexts:
			ctx.Scan.Pop()
			*all = append(*all, splitExactly(text)...)
			return nil
		}
		return errors.New("expected UTF-8, found other bytes")
	}
	return kong.OptionFunc(func(k *kong.Kong) error {
		for kind, mapper := range map[reflect.Kind]kong.MapperFunc{
			reflect.String: exactText, reflect.Slice: list, reflect.Map: list,
			reflect.Int: whole, reflect.Int64: whole, reflect.Float64: decimal,
		} {
			if err := kong.KindMapper(kind, mapper).Apply(k); err != nil {
				return err
			}
		}
		if err := kong.NamedMapper("size", size).Apply(k); err != nil {
			return err
		}
		return kong.TypeMapper(durationType, duration).Apply(k)
	})
}

// onlyOnce refuses a name that the map already has, or that occurs twice in its text.
func onlyOnce(text string, separator rune, have reflect.Value) error {
	seen := map[string]bool{}
	for _, pair := range kong.SplitEscaped(text, separator) {
		name, _, _ := strings.Cut(pair, "=")
		if seen[name] || have.MapIndex(reflect.ValueOf(name)).IsValid() {
			return fmt.Errorf("expected %q once, found it twice", name)
		}
		seen[name] = true
	}
	return nil
}

func exactText(ctx *kong.DecodeContext, target reflect.Value) error {
	if text, ok := ctx.Scan.Peek().Value.(string); ok && ctx.Scan.Peek().IsValue() {
		ctx.Scan.Pop()
		target.SetString(text)
		return nil
	}
	return ctx.Scan.PopValueInto("string", target.Addr().Interface())
}

// splitExactly splits a list as kong does: at every comma without a backslash before it.
func splitExactly(text string) (all []string) {
	var item []byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && text[i+1] == ',':
			item = append(item, ',')
			i++
		case c == ',':
			all, item = append(all, string(item)), nil
		default:
			item = append(item, c)
		}
	}
	if len(item) > 0 {
		all = append(all, string(item))
	}
	return all
}
