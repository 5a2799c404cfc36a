package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	kongyaml "github.com/alecthomas/kong-yaml"
	"go.yaml.in/yaml/v3"
)

// settingsFile is the configuration file. kong-yaml reads the values out of it; this holds them to
// three rules of ours. A key is a flag's name, whichever command has the flag. What the environment
// says comes before the file (kong would have it the other way round). And a key that is no setting
// is an error: a misspelt limit must not be ignored in silence.
type settingsFile struct {
	kong.Resolver
	name   string
	text   []byte
	keys   []*yaml.Node
	values []*yaml.Node
}

// configFlag is the flag that names the file. SIGHUP reads it again, which is why it must be a
// regular one. Its errors name the flag, and the line of the file.
type configFlag string

// BeforeResolve has kong look into the file for flags that were not given.
func (configFlag) BeforeResolve(all *cli, ctx *kong.Context, trace *kong.Path) error {
	name, _ := ctx.FlagValue(trace.Flag).(configFlag)
	if name == "" {
		return errors.New("--config (SSEDGE_CONFIG): expected the name of a file, found nothing")
	}
	f, err := loadFile(kong.ExpandPath(string(name)))
	if err == nil {
		err = f.check(ctx.Model)
	}
	if err == nil {
		f.Resolver, err = kongyaml.Loader(bytes.NewReader(f.text))
	}
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	all.file = f
	ctx.AddResolver(f)
	return nil
}

func loadFile(name string) (*settingsFile, error) {
	f := &settingsFile{name: name}
	text, err := readFile(name)
	if err != nil {
		return nil, err
	}
	var document, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil && err != io.EOF {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, fmt.Errorf("%s, line %d: expected one document, found a second one", f.name,
			second.Line)
	} else if err != io.EOF {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	for _, mapping := range document.Content {
		if mapping.Tag == "!!null" {
			continue // only comments
		}
		if mapping.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("%s, line %d: expected lines such as streams-max: 5000, %s",
				f.name, mapping.Line, found(mapping))
		}
		for i := 0; i < len(mapping.Content); i += 2 {
			f.keys = append(f.keys, mapping.Content[i])
			f.values = append(f.values, mapping.Content[i+1])
		}
	}
	f.text = text
	return f, nil
}

// settingName is what a flag is called in the file: as its variable is, without
// the prefix; "" for flags that have none.
func settingName(flag *kong.Flag) string {
	if len(flag.Envs) == 0 {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(flag.Envs[0], "SSEDGE_"), "_",
		"-"))
}

// Resolve returns the file's value for a flag; nil if it has none, or if the environment has one.
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
	return f.Resolver.Resolve(context, top, &kong.Flag{Value: &named})
}
