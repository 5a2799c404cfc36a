package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	kongyaml "github.com/alecthomas/kong-yaml"
	"go.yaml.in/yaml/v3"
)

// settingsFile is the configuration file. kong-yaml reads the values out of it;
// this holds them to three rules of ours. A key is a flag's name, whichever command
// has the flag. What the environment says comes before the file (kong would have it
// the other way round). And a key that is no setting is an error: a misspelt
// limit must not be ignored in silence.
type settingsFile struct {
	kong.Resolver
	name   string
	keys   []*yaml.Node
	values []*yaml.Node
}

// configFlag is the flag that names the file. SIGHUP reads it again, which is why it must be a regular one.
type configFlag string

// BeforeResolve is a hook of kong's.
func (configFlag) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	f, err := loadFile(kong.ExpandPath(string(ctx.FlagValue(trace.Flag).(configFlag))))
	if err != nil {
		return err
	}
	ctx.AddResolver(f)
	return nil
}

func loadFile(name string) (kong.Resolver, error) {
	f := &settingsFile{name: name}
	text, err := readFile(name)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var document, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, fmt.Errorf("%s, line %d: expected one document, found a second one", f.name, second.Line)
	} else if err != io.EOF {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if f.Resolver, err = kongyaml.Loader(bytes.NewReader(text)); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	for _, mapping := range document.Content {
		for i := 0; i < len(mapping.Content); i += 2 {
			f.keys = append(f.keys, mapping.Content[i])
			f.values = append(f.values, mapping.Content[i+1])
		}
	}
	return f, nil
}

// settingName is what a flag is called in the file: as its variable is, without
// the prefix; "" for flags that have none.
func settingName(flag *kong.Flag) string {
	if len(flag.Envs) == 0 {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(flag.Envs[0], "SSEDGE_"), "_", "-"))
}

// Resolve returns the file's value for a flag; nil if it has none, or if the
// environment has one.
func (f *settingsFile) Resolve(context *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	name := settingName(flag)
	if name == "" {
		return nil, nil
	}
	if _, ok := os.LookupEnv(flag.Envs[0]); ok {
		return nil, nil
	}
	named := *flag.Value
	named.Name = name
	top := &kong.Path{App: context.Model} // kong-yaml would look for serve-drain-rate
	value, err := f.Resolver.Resolve(context, top, &kong.Flag{Value: &named})
	if err != nil || value == nil {
		return nil, err
	}
	return value, checkValue(flag, value)
}

// checkValue refuses what kong would read in another sense than was meant, or
// refuse in words about Go: 5 as a duration is five nanoseconds to it.
func checkValue(flag *kong.Flag, value any) error {
	_, text := value.(string)
	target := flag.Target.Type()
	if target.Kind() == reflect.Pointer {
		target = target.Elem()
	}
	switch target {
	case reflect.TypeFor[time.Duration]():
		if !text && value != 0 {
			return fmt.Errorf("found %v: expected a duration with its unit, as in 500ms, 10s or 5m", value)
		}
	case reflect.TypeFor[[]string]():
		list, ok := value.([]any)
		if !ok {
			list = []any{value}
		}
		for _, v := range list {
			if _, ok := v.(string); !ok {
				return errors.New("expected text, or a list of texts (a number needs quotes)") // without what was found: it may be a key
			}
		}
	}
	return nil
}

// Validate refuses keys that are no flag's name.
func (f *settingsFile) Validate(app *kong.Application) error {
	var known []string
	flags := map[string]*kong.Flag{}
	eachFlag(app.Node, func(flag *kong.Flag) {
		if name := settingName(flag); name != "" && name != "config" && name != "-" {
			known = append(known, name)
			flags[name] = flag
		}
	})
	for i, key := range f.keys {
		if !slices.Contains(known, key.Value) {
			return fmt.Errorf("%s, line %d: %q is not a setting: expected the name of a flag, without dashes in front; the nearest is %s", f.name, key.Line, key.Value, nearest(key.Value, known))
		}
		if err := checkNode(flags[key.Value], f.values[i]); err != nil {
			return fmt.Errorf("%s, line %d: %s: %w", f.name, f.values[i].Line, key.Value, err)
		}
	}
	return nil
}

// checkNode refuses values that YAML takes for something else than is written: nothing for the default, 010 for 8, 5.7 for 5.
func checkNode(flag *kong.Flag, value *yaml.Node) error {
	if value.Kind != yaml.ScalarNode {
		return nil
	}
	if value.Tag == "!!null" {
		return errors.New("expected a value")
	}
	target := flag.Target.Type()
	if target.Kind() == reflect.Pointer {
		target = target.Elem()
	}
	switch {
	case target == reflect.TypeFor[time.Duration]():
	case target == reflect.TypeFor[size]():
		_, err := parseSize(value.Value)
		return err
	case target.Kind() == reflect.Int, target.Kind() == reflect.Int64:
		_, err := parseWhole(value.Value, target.Bits())
		return err
	case target.Kind() == reflect.Float64:
		_, err := parseDecimal(value.Value)
		return err
	}
	return nil
}
