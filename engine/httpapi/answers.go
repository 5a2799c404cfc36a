package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"

	"ssedge/engine/refuse"
)

// The causes of refusals here: status, metric label, and seconds after which to come back.
var (
	causeBadCharset         = refuse.Declare(415, "bad_charset", 0)
	causeBadContentEncoding = refuse.Declare(415, "bad_content_encoding", 0)
	causeBadContentType     = refuse.Declare(415, "bad_content_type", 0)
	causeBadContentType400  = refuse.Declare(400, "bad_content_type", 0)
	causeBadCredentials     = refuse.Declare(401, "bad_credentials", 0)
	causeBadEvent           = refuse.Declare(400, "bad_event", 0)
	causeBadJSON            = refuse.Declare(400, "bad_json", 0)
	causeBadKey             = refuse.Declare(400, "bad_key", 0)
	causeBadQuery           = refuse.Declare(400, "bad_query", 0)
	causeBadRetry           = refuse.Declare(400, "bad_retry", 0)
	causeBadTopic           = refuse.Declare(400, "bad_topic", 0)
	causeBody               = refuse.Declare(400, "body", 0)
	causeBodyTimeout        = refuse.Declare(408, "body_timeout", 0)
	causeDraining           = refuse.Declare(503, "draining", 1)
	causeFilesMax           = refuse.Declare(503, "files_max", 5)
	causeMethod             = refuse.Declare(405, "method", 0)
	causeNoCredentials      = refuse.Declare(401, "no_credentials", 0)
	causeNoData             = refuse.Declare(400, "no_data", 0)
	causeNoLength           = refuse.Declare(411, "no_length", 0)
	causeNoTopic            = refuse.Declare(400, "no_topic", 0)
	causeNotFound           = refuse.Declare(404, "not_found", 0)
	causeNotHijackable      = refuse.Declare(501, "not_hijackable", 0)
	causeNotLocal           = refuse.Declare(421, "not_local", 0)
	causeOrigin             = refuse.Declare(403, "origin", 0)
	causePublishMemory      = refuse.Declare(503, "publish_memory", 1)
	causeReceiptsTimeout    = refuse.Declare(408, "receipts_timeout", 0)
	causeShortBody          = refuse.Declare(400, "short_body", 0)
	causeSource             = refuse.Declare(503, "source", 1)
	causeUnavailable        = refuse.Declare(503, "source", 0)
	causeTooLarge           = refuse.Declare(413, "too_large", 0)
	causeTopicsMax          = refuse.Declare(503, "topics_max", 5)
)

// tooLarge names both numbers, and the setting, in the words of package rule.
func tooLarge(what, found string, limit int64, setting string) *refuse.Answer {
	return causeTooLarge.Say("expected at most %d bytes of %s (--%s), found %s", limit, what,
		setting, found)
}

func (s *Public) refuse(w http.ResponseWriter, p *refuse.Answer) {
	s.refuseAt(w, p, refuse.Where{})
}

func (s *Public) refuseAt(w http.ResponseWriter, p *refuse.Answer, at refuse.Where) {
	s.config.Refused(p.Cause)
	p.Write(w, at)
}

// writeJSON answers with one line of JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // of our own types: a defect
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeBody(w, status, "application/json", append(body, '\n'))
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(body)
}
