package auth

import "ssedge/engine/setting"

// Access is who may do what.
type Access struct {
	Keys      []string `name:"key" help:"Bearer key that may publish and subscribe; several for rotation. Better set as SSEDGE_KEY, or with --key-file, where other users do not see it." placeholder:"KEY"`
	Anonymous []string `help:"Topics that anyone may subscribe to: a name, or the beginning of names and a *, as in 'public/*'." placeholder:"TOPIC"`
}

// Check refuses patterns that are none. What keys may be depends on other settings, too.
func (a *Access) Check(fail setting.Fail) {
	for _, pattern := range a.Anonymous {
		if _, err := ParsePattern(pattern); err != nil {
			fail("--anonymous: %w", err)
		}
	}
}
