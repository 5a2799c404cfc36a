package server

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Names of the servers.
const (
	Ssedge   = "ssedge"
	Twin     = "twin"
	Baseline = "baseline"
)

// Kind is a server and its size: ssedge/2 has two shards, baseline/1 one thread; the twin has no
// sizes.
type Kind struct {
	Name   string
	Shards int // 0: as many as the server chooses
}

func (k Kind) String() string {
	if k.Shards == 0 {
		return k.Name
	}
	return k.Name + "/" + strconv.Itoa(k.Shards)
}

// ParseKind reads NAME or NAME/SHARDS.
func ParseKind(text string) (Kind, error) {
	name, size, sized := strings.Cut(text, "/")
	k := Kind{Name: name}
	if !slices.Contains([]string{Ssedge, Twin, Baseline}, name) {
		return k,
			fmt.Errorf("expected ssedge, twin or baseline, found %q; another server is started by you, and named with --subscribe and --publish-url",
				text)
	}
	if sized {
		n, err := strconv.Atoi(size)
		if err != nil || n < 1 || n > 64 || name == Twin {
			return k, fmt.Errorf("expected ssedge/N or baseline/N with N from 1 to 64, found %q",
				text)
		}
		k.Shards = n
	}
	return k, nil
}
