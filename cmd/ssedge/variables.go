package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// stray refuses variables of ours that nobody reads, as the file's unknown keys are: a misspelt
// limit must not be a limit that silently is not there. Those of every command are known, since
// several commands may share an environment. What takes no settings, and what is asked in need,
// looks at none.
func stray(app *kong.Application, command string, environment []string) error {
	switch command, _, _ = strings.Cut(command, " "); command {
	case "bench", "tune", "version":
		return nil
	}
	known := variables(app)
	for _, v := range slices.Sorted(slices.Values(environment)) {
		name, value, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "SSEDGE_") && !slices.Contains(known, name) && !ofService(name, value) {
			return fmt.Errorf("%.80q in the environment is not a setting: expected the variable of a flag; the nearest is %s", name, nearest(strings.ToUpper(name), known))
		}
	}
	return nil
}

// variables are those that some command reads.
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

// Kubernetes tells every container of the Services there are, in variables that begin with a
// Service's name: of one that is called ssedge, or ssedge-admin, they look like ours. A port that
// somebody sets in vain has a number only.
var (
	serviceVariable = regexp.MustCompile(`^SSEDGE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	servicePort     = regexp.MustCompile(`^SSEDGE_(\w+_)?PORT$`)
)

func ofService(name, value string) bool {
	return serviceVariable.MatchString(name) || servicePort.MatchString(name) && strings.Contains(value, "://")
}

// nearest is the one of several names that takes the fewest changes of letters.
func nearest(name string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// distance is how many letters must be put in, taken out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // from what of a was looked at to each beginning of b
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
