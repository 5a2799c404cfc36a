package auth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"unicode"
)

// Static is keys and public topics from the configuration. A client with a key
// may publish and subscribe everywhere; every client may subscribe to public topics.
type Static struct {
	keys   atomic.Pointer[[]digest] // replaced as a whole
	public Patterns
	open   bool
}

// digest stands for a key: all have one length.
type digest [sha256.Size]byte

// ErrNoKeys is what [NewStatic] says of a configuration in which no client could publish.
var ErrNoKeys = errors.New("no key is configured, so no client could publish")

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

// SetKeys replaces the keys, for requests from now on: streams that are there
// stay. After an error the old ones go on. Safe from any goroutine.
func (a *Static) SetKeys(keys []string) error {
	if len(keys) == 0 {
		return ErrNoKeys
	}
	digests := make([]digest, 0, len(keys))
	for i, k := range keys {
		if err := CheckKey(k); err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
		digests = append(digests, sha256.Sum256([]byte(k)))
	}
	a.keys.Store(&digests)
	return nil
}

// CheckKey refuses keys that no client can send. The error does not say the key.
func CheckKey(k string) error {
	if strings.TrimSpace(k) != k || k == "" {
		return fmt.Errorf("expected a text without blanks around it, found %d bytes", len(k))
	}
	if scheme, _, _ := strings.Cut(k, " "); strings.EqualFold(scheme, "Bearer") {
		// clients would have to send it twice
		return errors.New("expected the key alone, without the word Bearer in front")
	}
	if strings.ContainsFunc(k, unicode.IsControl) {
		return errors.New("expected a text without control characters")
	}
	return nil
}

// Open is the authorizer of a development server: every client may do everything.
func Open() *Static { return &Static{open: true} }

func (a *Static) Subscribe(authorization []byte, topics [][]byte) Verdict {
	if a.open {
		return Allowed
	}
	if verdict := a.credentials(authorization); verdict != Unknown {
		return verdict
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
	return a.credentials(authorization)
}

// bearer is the scheme of keys, in any case (RFC 9110 11.1).
const bearer = "bearer"

// credentials returns Unknown if there is no key: either there is no field, or it has credentials
// of another scheme, which are meant for a proxy in front or the site around it. It returns Invalid
// for a field that is empty, does not begin with a scheme, or is a key without its scheme, and for
// a field that begins with bearer but does not go on with a blank and a valid key.
func (a *Static) credentials(authorization []byte) Verdict {
	if authorization == nil {
		return Unknown
	}
	n := schemeBytes(authorization)
	scheme, rest := authorization[:n], authorization[n:]
	switch {
	case n == 0:
		return Invalid
	case n < len(bearer) || !bytes.EqualFold(scheme[:len(bearer)], []byte(bearer)):
		if len(rest) == 0 && a.check(scheme) == Allowed {
			return Invalid
		}
		return Unknown
	case n > len(bearer) || len(rest) == 0 || rest[0] != ' ':
		return Invalid
	}
	return a.check(bytes.Trim(rest, " "))
}

// schemeBytes is the length of the token that a field begins with (RFC 9110 5.6.2).
func schemeBytes(field []byte) int {
	for n, c := range field {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return n
		}
	}
	return len(field)
}

// check compares with all keys, hashed to one length, in constant time: how long
// it takes says nothing about any of them.
func (a *Static) check(key []byte) Verdict {
	sum := sha256.Sum256(key)
	found := 0
	for _, d := range *a.keys.Load() {
		found |= subtle.ConstantTimeCompare(sum[:], d[:])
	}
	if found == 0 {
		return Invalid
	}
	return Allowed
}
