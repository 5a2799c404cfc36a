package setting

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
)

// One is one setting.
type One struct {
	// of the field, as in "Heartbeat" or "Redis.TTL": embedded groups are not in it
	Path  string
	Flag  string        // without dashes in front
	Value reflect.Value // of the field, which can be set
	Tag   reflect.StructTag
}

// All returns the settings of a group, a pointer to a struct, in their order, with those of the
// groups in it. A field with the tag kong:"-" is none.
func All(group any) []One { return all(reflect.ValueOf(group).Elem(), "", nil) }

func all(group reflect.Value, path string, found []One) []One {
	for field, value := range group.Fields() {
		if !field.IsExported() || field.Tag.Get("kong") == "-" {
			continue
		}
		if field.Type.Kind() == reflect.Struct {
			inner := path
			if !field.Anonymous {
				inner += field.Name + "."
			}
			found = all(value, inner, found)
			continue
		}
		flag := field.Tag.Get("name")
		if flag == "" {
			flag = FlagOf(field.Name)
		}
		found = append(found, One{path + field.Name, flag, value, field.Tag})
	}
	return found
}

// FlagOf is a field's name in kebab case: http-idle for HTTPIdle.
func FlagOf(field string) string {
	var flag strings.Builder
	letters := []rune(field)
	for i, r := range letters {
		if i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(letters[i-1]) ||
			i+1 < len(letters) && unicode.IsLower(letters[i+1])) {
			flag.WriteByte('-')
		}
		flag.WriteRune(unicode.ToLower(r))
	}
	return flag.String()
}

// IsSize reports whether a setting is a number of bytes, with which a unit may stand.
func (o One) IsSize() bool { return o.Tag.Get("type") == sizeType }

// String is the setting as it would be given: --heartbeat 25s.
func (o One) String() string { return fmt.Sprintf("--%s %v", o.Flag, o.Value.Interface()) }

// Number returns the value in its base unit (seconds, bytes, things), and whether it is a number.
func (o One) Number() (n float64, ok bool) {
	switch {
	case o.Value.Type() == reflect.TypeFor[time.Duration]():
		return time.Duration(o.Value.Int()).Seconds(), true
	case o.Value.CanInt():
		return float64(o.Value.Int()), true
	case o.Value.CanFloat():
		return o.Value.Float(), true
	}
	return 0, false
}

// Metric is the name of the gauge that tells a bound; "" for a setting that has none.
func (o One) Metric() string {
	if name := o.Tag.Get("metric"); name != "" && name != "-" {
		return "ssedge_" + name
	}
	return ""
}

// Help is what the setting means, in a sentence or more.
func (o One) Help() string { return o.Tag.Get("help") }

// Default sets each setting of a group to the default of its tag. It panics at a tag that is wrong.
func Default(group any) {
	for _, o := range All(group) {
		if text, ok := o.Tag.Lookup("default"); ok {
			value, err := o.parse(text)
			if err != nil {
				panic(fmt.Sprintf("%s: default: %v", o.Path, err))
			}
			o.Value.Set(value)
		}
	}
}

// parse reads a value of the setting's type.
func (o One) parse(text string) (reflect.Value, error) {
	var value any
	var err error
	switch o.Value.Interface().(type) {
	case time.Duration:
		value, err = ParseDuration(text)
	case int, int64:
		if o.IsSize() {
			value, err = ParseSize(text)
		} else {
			value, err = ParseWhole(text, o.Value.Type().Bits())
		}
	case float64:
		value, err = ParseDecimal(text)
	case bool:
		value = text == "true"
	case []string:
		value = []string{text}
	default:
		value = text
	}
	if err != nil {
		return reflect.Value{}, err
	}
	return reflect.ValueOf(value).Convert(o.Value.Type()), nil
}
