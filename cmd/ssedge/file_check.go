package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"ssedge/engine/setting"
)

// check refuses keys that are no flag's name, keys that stand there twice, and values that their
// flags do not take. It comes before the values are used, since only here it is known where they
// stand.
func (f *settingsFile) check(app *kong.Application) error {
	var known []string
	flags := map[string]*kong.Flag{}
	eachFlag(app.Node, func(flag *kong.Flag) {
		if name := settingName(flag); name != "" && name != "config" && name != "-" {
			known = append(known, name)
			flags[name] = flag
		}
	})
	lines := map[string]int{}
	for i, key := range f.keys {
		if !slices.Contains(known, key.Value) {
			return fmt.Errorf("%s, line %d: %q is not a setting: expected the name of a flag, without dashes in front%s",
				f.name, key.Line, key.Value, nearest(key.Value, known, ""))
		}
		if line := lines[key.Value]; line != 0 {
			return fmt.Errorf("%s, line %d: expected %s once, found it on line %d, too", f.name,
				key.Line, key.Value, line)
		}
		lines[key.Value] = key.Line
		if err := checkNode(flags[key.Value], f.values[i]); err != nil {
			return fmt.Errorf("%s, line %d: %s: %w", f.name, f.values[i].Line, key.Value, err)
		}
	}
	return nil
}

// notOf names the settings in the file that a command does not have.
func (f *settingsFile) notOf(command *kong.Node) (names []string) {
	var has []string
	for _, flag := range command.Flags {
		has = append(has, settingName(flag))
	}
	for _, key := range f.keys {
		if !slices.Contains(has, key.Value) {
			names = append(names, key.Value)
		}
	}
	return names
}

// found says what a value is. A text is not shown: it may be a key.
func found(value *yaml.Node) string {
	switch {
	case value.Kind == yaml.SequenceNode:
		return "found a list"
	case value.Kind == yaml.MappingNode:
		return "found names with values"
	case value.Tag == "!!str":
		return "found text"
	case value.Tag == "!!int" || value.Tag == "!!float":
		return "found a number"
	case value.Tag == "!!bool":
		return "found " + value.Value
	}
	return "found something else"
}

// checkNode refuses values that YAML takes for something else than is written (nothing for the
// default, 010 for 8, 5.7 for 5), and those that kong would refuse in words about Go.
func checkNode(flag *kong.Flag, value *yaml.Node) error {
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	if value.Tag == "!!null" {
		return errors.New("expected a value")
	}
	target := flag.Target.Type()
	if target.Kind() == reflect.Pointer {
		target = target.Elem()
	}
	switch target.Kind() {
	case reflect.Slice:
		return checkList(value)
	case reflect.Map:
		return checkMap(value)
	}
	var err error
	switch {
	case target == durationType:
		_, err = setting.ParseDuration(value.Value)
	case isSize(flag):
		_, err = setting.ParseSize(value.Value)
	case target.Kind() == reflect.Int, target.Kind() == reflect.Int64:
		_, err = setting.ParseWhole(value.Value, target.Bits())
	case target.Kind() == reflect.Float64:
		_, err = setting.ParseDecimal(value.Value)
	case target.Kind() == reflect.Bool:
		if value.Tag != "!!bool" &&
			!(value.Tag == "!!str" &&
				slices.Contains([]string{"true", "false", "yes", "no", "1", "0"},
					strings.ToLower(value.Value))) {
			err = fmt.Errorf("expected true or false, found %.40q", value.Value)
		}
	case flag.Enum != "":
		if !flag.EnumMap()[value.Value] {
			err = fmt.Errorf("expected one of %s, found %.40q",
				strings.Join(flag.EnumSlice(), ", "), value.Value)
		}
	case value.Tag != "!!str":
		err = fmt.Errorf("expected text (a number needs quotes), %s", found(value))
	}
	if value.Kind != yaml.ScalarNode && err != nil {
		before, _, _ := strings.Cut(err.Error(), ", found")
		err = fmt.Errorf("%s, %s", before, found(value))
	}
	return err
}

// checkList refuses what is not a list of texts, or one. What was found is not shown: it may be a
// key.
func checkList(value *yaml.Node) error {
	all := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		all = value.Content
	}
	for _, v := range all {
		if v.Tag != "!!str" {
			return fmt.Errorf("expected text, or a list of texts (a number needs quotes), %s",
				found(v))
		}
	}
	return nil
}

// checkMap refuses what is not names with texts, each name once.
func checkMap(value *yaml.Node) error {
	if value.Tag == "!!str" {
		return nil // NAME=VALUE,…, as in a flag
	}
	if value.Kind != yaml.MappingNode {
		return fmt.Errorf("expected names with values, as in {a: b, c: d}, %s", found(value))
	}
	seen := map[string]bool{}
	for i := 0; i < len(value.Content); i += 2 {
		name, of := value.Content[i], value.Content[i+1]
		if seen[name.Value] {
			return fmt.Errorf("expected %.80q once, found it twice", name.Value)
		}
		seen[name.Value] = true
		if name.Kind != yaml.ScalarNode || of.Tag != "!!str" {
			return fmt.Errorf("expected text for %.80q (a number needs quotes), %s", name.Value,
				found(of))
		}
	}
	return nil
}
