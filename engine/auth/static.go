package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// Static is keys and public topics from the configuration. Whoever holds a key
// may publish and subscribe everywhere; anyone may subscribe to public topics.
type Static struct {
	keys   atomic.Pointer[[]digest] // replaced as a whole
	public Patterns
	open   bool
}

// digest stands for a key: all have one length.
type digest [sha256.Size]byte

// ErrNoKeys is what [NewStatic] says of a configuration in which nobody could
// publish.
var ErrNoKeys = errors.New("no key is configured, so nobody could publish")

// NewStatic takes the keys (several, so that they can be rotated) and the
// patterns of public topics.
func NewStatic(keys, public []string) (*Static, error) {
	a := &Static{}
	if err := a.SetKeys(keys); err != nil {
		return nil, err
	}
	var err error
	a.public, err = ParsePatterns(public)
	return a, err
}

// SetKeys replaces the keys, for whoever asks from now on: streams that are there
// stay. After an error the old ones go on. Safe from any goroutine.
func (a *Static) SetKeys(keys []string) error {
	if len(keys) == 0 {
		return ErrNoKeys
	}
	digests := make([]digest, 0, len(keys))
	for i, k := range keys {
		if strings.TrimSpace(k) != k || k == "" {
			return fmt.Errorf("key %d: expected a text without blanks around it, found %d bytes", i+1, len(k))
		}
		digests = append(digests, sha256.Sum256([]byte(k)))
	}
	a.keys.Store(&digests)
	return nil
}

// Open is the authorizer of a development server: everybody may do everything.
func Open() *Static { return &Static{open: true} }

func (a *Static) Subscribe(authorization []byte, topics [][]byte) Verdict {
	if a.open {
		return Allowed
	}
	if authorization != nil {
		return a.check(authorization)
	}
	for _, t := range topics {
		if !a.public.Match(t) {
			return Unknown
		}
	}
	return Allowed
}

func (a *Static) Publish(authorization []byte, _ []byte) Verdict {
	if a.open {
		return Allowed
	}
	if authorization == nil {
		return Unknown
	}
	return a.check(authorization)
}

// check compares with all keys, hashed to one length, in constant time: how long
// it takes says nothing about any of them.
func (a *Static) check(authorization []byte) Verdict {
	scheme, key, ok := bytes.Cut(authorization, []byte{' '})
	if !ok || !bytes.EqualFold(scheme, []byte("bearer")) {
		return Invalid
	}
	sum := sha256.Sum256(bytes.Trim(key, " "))
	found := 0
	for _, d := range *a.keys.Load() {
		found |= subtle.ConstantTimeCompare(sum[:], d[:])
	}
	if found == 0 {
		return Invalid
	}
	return Allowed
}
