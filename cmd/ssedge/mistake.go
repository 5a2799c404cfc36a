package main

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// A server whose settings could not be read says so in the format of its log, as far as they name
// one.

// recordMistake is record for a command line, variables or a file that could not be read.
func recordMistake(command string, args []string, err error) error {
	if command != "serve" || slices.Contains(args, "--check") {
		return err
	}
	c := serveCmd{LogFormat: meantLogFormat(args)}
	return c.record(err)
}

// commandOf is the command that the arguments name; "" if they name none.
func commandOf(app *kong.Application, args []string) string {
	for i, arg := range args {
		if i > 0 && args[i-1] == "--config" { // the only flag before a command that has a value
			continue
		}
		if slices.ContainsFunc(app.Children, func(n *kong.Node) bool { return n.Name == arg }) {
			return arg
		}
	}
	return ""
}

// meantLogFormat looks for --log-format where kong does, in its order, and passes over what else is
// wrong there.
func meantLogFormat(args []string) string {
	if format, ok := flagValue(args, "--log-format"); ok {
		return format
	}
	if format, ok := os.LookupEnv("SSEDGE_LOG_FORMAT"); ok {
		return format
	}
	file, ok := flagValue(args, "--config")
	if !ok {
		file = os.Getenv("SSEDGE_CONFIG")
	}
	if file = kong.ExpandPath(file); !regular(file) { // the rest of a pipe may never come
		return ""
	}
	text, _ := os.ReadFile(file)
	return logFormatIn(text)
}

// flagValue is the last value of a flag.
func flagValue(args []string, flag string) (value string, ok bool) {
	for i, arg := range args {
		if v, found := strings.CutPrefix(arg, flag+"="); found {
			value, ok = v, true
		} else if arg == flag && i+1 < len(args) {
			value, ok = args[i+1], true
		}
	}
	return value, ok
}

func regular(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular()
}

// logFormatLine is the setting in a file that is no YAML.
var logFormatLine = regexp.MustCompile(`(?m)^["']?log-format["']?[ \t]*:[ \t]+["']?(\w+)`)

func logFormatIn(text []byte) string {
	var document yaml.Node
	if yaml.Unmarshal(text, &document) != nil {
		if found := logFormatLine.FindSubmatch(text); found != nil {
			return string(found[1])
		}
		return ""
	}
	for _, mapping := range document.Content {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			if mapping.Content[i].Value == "log-format" {
				return mapping.Content[i+1].Value
			}
		}
	}
	return ""
}

// kong's hint at a flag may be wrong in two letters of two.
var unknownFlag = regexp.MustCompile(`^(unknown flag (-.*?))(, did you mean .*)?$`)

// hintedError is an error in other words.
type hintedError struct {
	error
	text string
}

func (e hintedError) Error() string { return e.text }
func (e hintedError) Unwrap() error { return e.error }

// withHint adds to the error of an unknown flag the flag that was meant, if one is near.
func withHint(err error) error {
	var parsing *kong.ParseError
	if !errors.As(err, &parsing) || parsing.Context == nil {
		return err
	}
	parts := unknownFlag.FindStringSubmatch(err.Error())
	if parts == nil {
		return err
	}
	node := parsing.Context.Selected()
	if node == nil {
		node = parsing.Context.Model.Node
	}
	var known []string
	for ; node != nil; node = node.Parent {
		for _, flag := range node.Flags {
			known = append(known, "--"+flag.Name)
		}
	}
	return hintedError{err, parts[1] + nearest(parts[2], known, "--")}
}
