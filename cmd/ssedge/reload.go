package main

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"ssedge/engine"
)

// reload reads the file of keys again with every SIGHUP, and nothing else: it says so, and which
// settings a restart would change. Whatever is wrong with the file, the server goes on with the
// keys it has.
func (c *serveCmd) reload(e *engine.Engine, log *slog.Logger, signals <-chan os.Signal,
	m *manager) {
	for range signals {
		m.reload(func() string {
			said := c.reloadKeys(e, log)
			c.sayChanged(log)
			return said
		})
	}
}

func (c *serveCmd) reloadKeys(e *engine.Engine, log *slog.Logger) string {
	keys, err := c.keys()
	if err == nil {
		err = e.SetKeys(keys)
	}
	switch {
	case err != nil:
		log.Error("SIGHUP: the keys stay as they were; other settings are read by a restart only",
			"key_file", c.KeyFile, "error", err)
		return fmt.Sprintf("serving; the keys stay as they were: %v", err)
	case c.KeyFile == "":
		log.Info("SIGHUP: nothing was read again: there is no --key-file, and other settings are read by a restart only")
	default:
		log.Info("SIGHUP: the keys were read again; other settings are read by a restart only",
			"key_file", c.KeyFile, "keys", len(keys))
	}
	return "serving"
}

// sayChanged names the settings that are not what they were at the start.
func (c *serveCmd) sayChanged(log *slog.Logger) {
	names, err := c.changed(os.Args[1:])
	if err != nil {
		log.Warn("SIGHUP: the settings are not in order any more: a restart would fail", "config",
			c.file, "error", err)
	} else if len(names) > 0 {
		log.Warn("SIGHUP: settings have changed since the start: they need a restart", "config",
			c.file, "settings", strings.Join(names, ", "))
	}
}

// changed reads all settings as a restart with these arguments would, and names those that differ.
func (c *serveCmd) changed(args []string) (names []string, err error) {
	var now cli
	parser := newParser(&now)
	if _, err := parser.Parse(orHelp(args)); err != nil {
		return nil, err
	}
	config, err := now.Serve.config()
	if err == nil {
		err = config.Check()
	}
	// by a pointer to what each sets. Its type counts: a struct and its first member have one
	// address
	flags := map[any]string{}
	eachFlag(parser.Model.Node, func(flag *kong.Flag) {
		flags[flag.Target.Addr().Interface()] = flag.Name
	})
	eachSetting(reflect.ValueOf(c).Elem(), reflect.ValueOf(&now.Serve).Elem(),
		func(was, is reflect.Value) {
			if name := flags[is.Addr().Interface()]; name != "" &&
				!reflect.DeepEqual(was.Interface(), is.Interface()) {
				names = append(names, name)
			}
		})
	return names, err
}

// eachSetting goes through the fields of two structs of one type, and through those of the structs
// in them.
func eachSetting(a, b reflect.Value, do func(a, b reflect.Value)) {
	for field, of := range a.Fields() {
		switch other := b.FieldByIndex(field.Index); {
		case !field.IsExported():
		case field.Type.Kind() == reflect.Struct:
			eachSetting(of, other, do)
		default:
			do(of, other)
		}
	}
}
