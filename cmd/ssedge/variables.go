package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// checkVariables refuses variables SSEDGE_… that no command reads, as unknown keys of the file are
// refused: a misspelt limit must not silently be no limit. The variables of every command are
// known, since several commands may share an environment. bench, tune and version ignore all of
// them.
func checkVariables(app *kong.Application, command string, environment []string) error {
	switch command, _, _ = strings.Cut(command, " "); command {
	case "bench", "tune", "version":
		return nil
	}
	known := variables(app)
	for _, v := range slices.Sorted(slices.Values(environment)) {
		name, value, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "SSEDGE_") && !slices.Contains(known, name) &&
			!isOfKubernetes(name, value) {
			return fmt.Errorf(
				"%.80q in the environment is not a setting: expected the variable of a flag%s",
				name, nearest(strings.ToUpper(name), known, "SSEDGE_"))
		}
	}
	return nil
}

// variables are the names of all variables that some command reads.
func variables(app *kong.Application) (all []string) {
	eachFlag(app.Node, func(flag *kong.Flag) {
		for _, name := range flag.Envs {
			if strings.HasPrefix(name, "SSEDGE_") {
				all = append(all, name)
			}
		}
	})
	return all
}

func eachFlag(n *kong.Node, do func(*kong.Flag)) {
	for _, flag := range n.Flags {
		do(flag)
	}
	for _, child := range n.Children {
		eachFlag(child, do)
	}
}

// Kubernetes sets variables in every container for each Service, and they begin with the Service's
// name: those of a Service named ssedge or ssedge-admin look like ours. Its SSEDGE_PORT is a URL.
// An SSEDGE_PORT that is a bare number is a setting by mistake.
var (
	serviceVariable = regexp.MustCompile(`^SSEDGE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	servicePort     = regexp.MustCompile(`^SSEDGE_(\w+_)?PORT$`)
)

func isOfKubernetes(name, value string) bool {
	return serviceVariable.MatchString(name) || servicePort.MatchString(name) &&
		strings.Contains(value, "://")
}

// meantBy are names that settings have elsewhere.
var meantBy = map[string]string{
	"port": "listen", "host": "listen", "bind": "listen", "address": "listen", "addr": "listen",
	"admin-port": "admin",
	"origin":     "cors-origin", "origins": "cors-origin", "cors": "cors-origin",
	"streams": "streams-max", "max-streams": "streams-max",
	"connections": "streams-max", "max-connections": "streams-max",
}

// nearest is a hint at the name that was meant, with something in front; "" if none is near: at
// most a third of the letters may be wrong.
func nearest(name string, names []string, prefix string) string {
	plain := func(name string) string {
		return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", "-"))
	}
	name = plain(name)
	for _, known := range names {
		if meantBy[name] == plain(known) {
			return "; the nearest is " + known
		}
	}
	far := func(known string) int { return distance(name, plain(known)) }
	best := slices.MinFunc(names, func(a, b string) int { return far(a) - far(b) })
	if 3*far(best) > max(len(name), len(plain(best))) {
		return ""
	}
	return "; the nearest is " + best
}

// distance is how many letters must be inserted, removed or changed to turn a into b.
func distance(a, b string) int {
	// distances from the part of a that was read so far to each beginning of b
	row := make([]int, len(b)+1)
	for k := range row {
		row[k] = k
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for k := range len(b) {
			change := diagonal
			if a[i] != b[k] {
				change++
			}
			diagonal = row[k+1]
			row[k+1] = min(change, row[k]+1, row[k+1]+1)
		}
	}
	return row[len(b)]
}
