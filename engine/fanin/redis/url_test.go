package redis

import (
	"strings"
	"testing"
)

func TestURLs(t *testing.T) {
	for text, want := range map[string]struct {
		kind      Kind
		addresses string
		user      string
		master    string
		tls       bool
	}{
		"redis://127.0.0.1": {Standalone, "127.0.0.1:6379", "", "",
			false},
		"redis://me:p%40ss@h:7000/0": {Standalone, "h:7000", "me/p@ss", "", false},
		"rediss://:secret@h":         {Standalone, "h:6379", "/secret", "", true},
		"valkeys://h/":               {Standalone, "h:6379", "", "", true},
		"redis://[::1]:7000":         {Standalone, "[::1]:7000", "", "", false},
		"redis+cluster://a:1,b:2,[::1]": {Cluster, "a:1 b:2 [::1]:6379", "", "",
			false},
		"rediss+cluster://me:pw@a,b?insecure=true": {Cluster, "a:6379 b:6379", "me/pw", "",
			true},
		"redis+sentinel://a,b:7/mymaster": {Sentinel, "a:26379 b:7", "", "mymaster",
			false},
		"valkey+sentinel://me:pw@a/m/0":               {Sentinel, "a:26379", "me/pw", "m", false},
		"redis+sentinel://a/m?sentinel_password=hush": {Sentinel, "a:26379", "", "m", false},
	} {
		got, err := parseURL(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		o := &got.options
		user := ""
		if o.Username != "" || o.Password != "" {
			user = o.Username + "/" + o.Password
		}
		if got.kind != want.kind || strings.Join(o.InitAddress, " ") != want.addresses ||
			user != want.user ||
			o.Sentinel.MasterSet != want.master || (o.TLSConfig != nil) != want.tls {
			t.Errorf("%s is read as %v %v %q %q %v", text, got.kind, o.InitAddress, user,
				o.Sentinel.MasterSet, o.TLSConfig != nil)
		}
		for _, secret := range []string{"secret", "p%40ss", "p@ss", "pw", "hush"} {
			if strings.Contains(got.redacted, secret) {
				t.Errorf("%s is shown as %s", text, got.redacted)
			}
		}
	}
}

// No part of a password stands in an error, wherever it has signs that end an address.
func TestErrorsShowNoPassword(t *testing.T) {
	for _, begin := range []string{"redis://u:", "redis://:", "rediss://u:", "redis+cluster://u:",
		"redis+sentinel://u:", "valkey://u:"} {
		for _, password := range []string{"hush/hush", "hush?hush", "hush#hush", "/hush", "hush%zz",
			"hush/hush?hush", "hush,hush/hush"} {
			for _, end := range []string{"@h", "@h:1", "@h/3", "@h?x=1", "@h/m/7"} {
				if _, err := parseURL(begin + password + end); err == nil ||
					strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), `"u`) {
					t.Errorf("%s: %v", begin+password+end, err)
				}
			}
		}
	}
}

// Nor where the rest of the URL is misspelt.
func TestErrorsOfMisspeltURLsShowNoPassword(t *testing.T) {
	for _, text := range []string{
		"u:hush@h", "redis:u:hush@h", "rediss//u:hush@h", "redis:/u:hush@h", "//u:hush@h", "hush",
		"u:hush", "redis://u:hush", "redis+cluster://a,u:hush", "u:hush://h", "redis://u:hu/sh",
		"redis://u:x/hush",
		"redis+sentinel://h/m?sentinel_password=sec&hush",
		"redis+sentinel://h/m?sentinel_password=sec&hush=1", "rediss://h?insecure=hush",
		"redis+sentinel://h/m/hush", "redis+sentinel://h/m?hush&hush", "redis://h?u:hush",
	} {
		if _, err := parseURL(text); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, found := range map[string]string{"http://h": `"http"`, "redis://h:70000": `"h:70000"`,
		"redis://h/3": `"3"`} {
		if _, err := parseURL(text); err == nil || !strings.Contains(err.Error(), "found "+found) &&
			!strings.Contains(err.Error(), "address "+found) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestBadURLsAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "127.0.0.1:6379", "http://h", "redis:h", "redis://", "redis://h:0", "redis://h:70000",
		"redis://h:x", "redis://::1",
		"redis://a,b", "redis://h/x", "redis://h/-1", "redis://h/3", "redis+sentinel://a/m/2",
		"redis://h?x=1", "redis://h?insecure=true", "rediss://h?insecure=perhaps",
		"redis+cluster://a,,b", "redis+cluster://a/1", "redis+sentinel://a", "redis+sentinel://a/",
		"redis+sentinel://a/m/x",
		"redis+cluster://a?sentinel_user=x", "rediss://h?insecure=true&insecure=true",
		"redis://h#x", "redis://h/0#x", "redis://h?a=%zz", "rediss://h?insecure=true;x=1",
		"redis://me:pa%zzss@h", "redisss://h",
	} {
		got, err := parseURL(text)
		if err == nil {
			t.Errorf("%q is read as %v %v", text, got.kind, got.options.InitAddress)
		} else if !strings.HasPrefix(err.Error(), "expected redis://") ||
			strings.Contains(err.Error(), "ss@") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A parameter that is not known is answered with those that are.
func TestTheQueryOfAURL(t *testing.T) {
	for _, text := range []string{"redis://h?x=1", "rediss://h?Insecure=true",
		"redis+sentinel://h/m?sentinel_passwort=x", "redis+cluster://h?client_name=x",
		"redis://h?insecure=true;x=1"} {
		_, err := parseURL(text)
		if err == nil {
			t.Errorf("%s is read", text)
			continue
		}
		for _, key := range []string{"insecure", "sentinel_user", "sentinel_password"} {
			if !strings.Contains(err.Error(), key) {
				t.Errorf("%s: expected %s in: %v", text, key, err)
			}
		}
	}
}
