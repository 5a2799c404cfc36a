package httpapi

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/bytebufferpool"

	"ssedge/engine/auth"
	"ssedge/engine/fanin"
	"ssedge/engine/refuse"
	"ssedge/proto/eventid"
	"ssedge/proto/http1"
	"ssedge/proto/rule"
	"ssedge/proto/sse"
	"ssedge/shard/topic"
)

// publish is POST /publish. The form is told by the Content-Type: JSON is an event
// or an array of them, NDJSON a stream of them, and anything else is the data of
// one event that the query names. The answer has the form of the request.
func (s *Public) publish(w http.ResponseWriter, r *http.Request) {
	if s.config.Draining() {
		s.refuse(w, causeDraining.Say("this server is going away"))
		return
	}
	if p := s.checkOrigin(r); p != nil {
		s.refuse(w, p)
		return
	}
	if p := s.mayPublish(authorization(r), nil); p != nil { // before anything of the body is read
		s.refuse(w, p)
		return
	}
	media, p := bodyType(r)
	if p != nil {
		s.refuse(w, p)
		return
	}
	switch media {
	case "application/json":
		s.withoutQuery(w, r, media, s.publishJSON)
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		s.withoutQuery(w, r, media, s.publishStream)
	default:
		s.publishRaw(w, r)
	}
}

// bodyType is the media type of a body, empty if none is named. What its fields say is never
// ignored: a body of unknown length, in another character set or coding, or of several parts would
// be published as something else.
func bodyType(r *http.Request) (media string, _ *refuse.Answer) {
	if !r.ProtoAtLeast(1, 1) && r.Header.Get("Content-Length") == "" { // RFC 1945 7.2.2
		return "",
			causeNoLength.Say("expected a Content-Length: in HTTP/1.0 nothing else says where the body ends")
	}
	for _, coding := range strings.Split(strings.Join(r.Header.Values("Content-Encoding"), ","),
		",") {
		if coding = strings.TrimSpace(coding); coding != "" &&
			!strings.EqualFold(coding, "identity") {
			return "",
				causeBadContentEncoding.Say("expected a body without Content-Encoding, found %.40q",
					coding)
		}
	}
	types := r.Header.Values("Content-Type")
	if len(types) == 0 || len(types) == 1 && types[0] == "" {
		return "", nil
	}
	media, parameters, err := mime.ParseMediaType(types[0])
	charset, named := parameters["charset"]
	switch {
	case err != nil:
		return "", causeBadContentType400.Say("the Content-Type cannot be read: %v", err)
	case len(types) > 1:
		return "", causeBadContentType400.Say("expected one Content-Type, found %d", len(types))
	case strings.HasPrefix(media, "multipart/"):
		return "", causeBadContentType.Say("expected the data itself, JSON or NDJSON, found %.40q",
			media)
	case named && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8") &&
		!strings.EqualFold(charset, "us-ascii"):
		return "", causeBadCharset.Say("expected a body of UTF-8, found charset %.40q", charset)
	}
	return media, nil
}

// withoutQuery refuses every parameter of a request whose body has everything, before anything is
// read or published: an idempotency key in the query must not be silently ignored.
func (s *Public) withoutQuery(w http.ResponseWriter, r *http.Request, media string,
	take http.HandlerFunc) {
	name, _, _, ok := http1.NextPair([]byte(r.URL.RawQuery))
	if !ok {
		take(w, r)
		return
	}
	if text, ok := http1.AppendUnescaped(nil, name); ok {
		name = text
	}
	s.refuse(w,
		causeBadQuery.Say("expected no query with Content-Type %s: topic, event, retry and key go in the body, as members of each event; found %.40q",
			media, name))
}

// mayPublish asks for permission; a nil topic is for permission to publish at all.
func (s *Public) mayPublish(authorization, topic []byte) *refuse.Answer {
	switch s.config.Authorizer.Publish(authorization, topic) {
	case auth.Allowed:
		return nil
	case auth.Unknown:
		return causeNoCredentials.Say("publishing needs a key: Authorization: Bearer KEY")
	}
	return causeBadCredentials.Say("the key is not valid")
}

// put publishes an event with the rights of authorization.
func (s *Public) put(authorization []byte, e fanin.Event) (fanin.Receipt, *refuse.Answer) {
	if p := s.mayPublish(authorization, e.Topic); p != nil {
		return fanin.Receipt{}, p
	}
	got, err := s.config.Source.Publish(&e)
	switch {
	case err == nil:
	case errors.Is(err, topic.ErrFull):
		return got, causeTopicsMax.Say("this server holds as many topics as it may (--topics-max)")
	default:
		s.outages.log(s.config.Logger, time.Now(), err)
		if errors.Is(err, fanin.ErrNotStored) {
			return got, notStored
		}
		return got, perhapsStored
	}
	s.published(&e, got.Duplicate)
	return got, nil
}

var notStored = causeSource.Say("the servers do not take events at the moment; the event was not stored")

// perhapsStored fits requests with a key and without one: the error does not show whether the
// servers stored the event.
var perhapsStored = causeSource.Say("the servers do not answer: the event may or may not have been stored; " +
	"with a key it can be published again safely, without one it may come twice")

// authorization is the value of the field, nil if there is none.
func authorization(r *http.Request) []byte {
	if v := r.Header.Values("Authorization"); len(v) > 0 {
		return []byte(v[0])
	}
	return nil
}

// readBody reads all of a body of at most limit bytes into a buffer of the share, which the caller
// gives back.
func (s *Public) readBody(w http.ResponseWriter, r *http.Request, of *share, limit int64, what,
	setting string) (*bytebufferpool.ByteBuffer, *refuse.Answer) {
	if r.ContentLength > limit {
		return nil, tooLarge(what, strconv.FormatInt(r.ContentLength, 10), limit, setting)
	}
	body := s.beginBody(w, r, false)
	defer body.done()
	buf := buffers.Get()
	p := body.readAll(&buf.B, of, limit)
	if p == memoryFull { // a client that sends everything before it reads is to see the answer
		rest := limit + 1 - int64(len(buf.B))
		buf.B = nil // what was read is of no use: it makes room for others
		of.release()
		io.Copy(io.Discard, io.LimitReader(body, rest))
	}
	body.mayWrite()
	switch {
	case p != nil:
	case int64(len(buf.B)) > limit:
		p = tooLarge(what, "more", limit, setting)
	default:
		return buf, nil
	}
	recycle(buf)
	return nil, p
}

// publishRaw takes the body as the data of one event.
func (s *Public) publishRaw(w http.ResponseWriter, r *http.Request) {
	q, p := readQuery(r.URL.RawQuery)
	if p != nil {
		s.refuse(w, p)
		return
	}
	if q.topic == "" {
		s.refuse(w,
			causeNoTopic.Say("expected ?topic=NAME in the query; to publish JSON, send Content-Type: application/json"))
		return
	}
	if q.key, p = idempotencyKey(r, q.key); p != nil {
		s.refuse(w, p)
		return
	}
	of := s.newShare()
	defer of.release()
	buf, p := s.readBody(w, r, of, int64(s.config.Rule.EventBytes), "data and event name together",
		"event-bytes")
	if p != nil {
		s.refuse(w, p)
		return
	}
	defer recycle(buf)
	ds := newDrafts(s.config.Rule, of)
	defer ds.drop()
	s.publishOne(w, r, ds,
		ds.add(q.topic, q.key, &sse.Event{Name: []byte(q.event), Data: buf.B, RetryMS: q.retry}))
}

// publishOne publishes the one event of a request, unless it was no good.
func (s *Public) publishOne(w http.ResponseWriter, r *http.Request, ds *drafts, p *refuse.Answer) {
	var got fanin.Receipt
	if p == nil {
		got, p = s.put(authorization(r), ds.event(0))
	}
	if p != nil {
		s.refuse(w, p)
		return
	}
	writeBody(w, http.StatusOK, "application/json", append(appendReceipt(nil, got), '\n'))
}

// query is what names a raw event.
type query struct {
	topic, event, key string
	retry             int64
}

// readQuery reads each of the known parameters, at most once. Others are refused: a
// misspelt name must not be one that is silently not there.
func readQuery(raw string) (q query, _ *refuse.Answer) {
	rest := []byte(raw)
	if err := http1.CheckQuery(rest); err != nil {
		return q, causeBadQuery.Say("%s", err.Reason)
	}
	seen := map[string]bool{}
	for {
		key, value, next, ok := http1.NextPair(rest)
		if !ok {
			return q, nil
		}
		rest = next
		text, _ := http1.AppendUnescaped(nil, value)
		unescaped, _ := http1.AppendUnescaped(nil, key)
		name := string(unescaped)
		switch name {
		case "topic":
			q.topic = string(text)
		case "event":
			q.event = string(text)
		case "key":
			q.key = string(text)
		case "retry":
			ms, err := rule.Limits{}.ParseRetry(text)
			if err != nil {
				return q, broken(err)
			}
			q.retry = ms
		default:
			return q,
				causeBadQuery.Say("expected topic, event, retry and key in the query, found %.40q",
					name)
		}
		if seen[name] {
			return q, causeBadQuery.Say("expected %s once in the query", name)
		}
		seen[name] = true
	}
}

// publishJSON takes an event, or an array of events: all of them or, if one is not in order, none.
func (s *Public) publishJSON(w http.ResponseWriter, r *http.Request) {
	of := s.newShare()
	defer of.release()
	buf, p := s.readBody(w, r, of, s.config.BodyBytes, "body", "body-bytes")
	if p != nil {
		s.refuse(w, p)
		return
	}
	defer recycle(buf)
	ds := newDrafts(s.config.Rule, of)
	defer ds.drop()
	if text := bytes.TrimLeft(buf.B, jsonBlanks); len(text) > 0 && text[0] == '[' {
		s.publishArray(w, r, buf.B, ds)
		return
	}
	m, p := ds.decode(buf.B)
	if p == nil {
		m.Key, p = idempotencyKey(r, m.Key)
	}
	if p == nil {
		p = ds.addMessage(m)
	}
	s.publishOne(w, r, ds, p)
}

// idempotencyKey is the idempotency key of a request for one event: the one given, or that of the
// field Idempotency-Key, which may stand in quotes (draft-ietf-httpapi-idempotency-key-header 2.1).
// If there are two, they must be the same.
func idempotencyKey(r *http.Request, given string) (string, *refuse.Answer) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return given, nil
	}
	key := values[0]
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(key[1 : n-1])
	}
	if len(values) > 1 || given != "" && given != key {
		return "",
			causeBadKey.Say("expected one idempotency key, found several: in Idempotency-Key, and perhaps as key")
	}
	return key, nil
}

// withoutKeyField refuses a key for a request of several events.
func withoutKeyField(r *http.Request) *refuse.Answer {
	if len(r.Header.Values("Idempotency-Key")) > 0 {
		return causeBadKey.Say(`expected no Idempotency-Key with several events: each may have a "key" of its own`)
	}
	return nil
}

func (s *Public) publishArray(w http.ResponseWriter, r *http.Request, text []byte, ds *drafts) {
	if p := withoutKeyField(r); p != nil {
		s.refuse(w, p)
		return
	}
	if p := ds.addArray(text); p != nil {
		s.refuseAt(w, p, refuse.Where{Item: len(ds.all) + 1, Counts: true})
		return
	}
	var out []byte // there is room for all of it before the first event is published
	if p := ds.share.grow(&out, len("[]\n")+len(ds.all)*receiptBytesMax); p != nil {
		s.refuseAt(w, p, refuse.Where{Counts: true})
		return
	}
	publisher := authorization(r)
	out = append(out, '[')
	for i := range ds.all {
		got, p := s.put(publisher, ds.event(i))
		if p != nil {
			s.refuseAt(w, p, refuse.Where{Item: i + 1, Counts: true, Published: i})
			return
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = appendReceipt(out, got)
	}
	writeBody(w, http.StatusOK, "application/json", append(out, "]\n"...))
}

// addArray reads an array one event at a time: at the first that is not in order the
// rest costs nothing.
func (ds *drafts) addArray(text []byte) *refuse.Answer {
	items := jsontext.NewDecoder(bytes.NewBuffer(text))
	items.ReadToken() // the bracket that was seen
	for items.PeekKind() != ']' {
		item, err := items.ReadValue()
		if err != nil {
			return causeBadJSON.Say("expected an array of events; %s", jsonError(err))
		}
		m, p := ds.decode(item)
		if p == nil {
			p = ds.addMessage(m)
		}
		if p != nil {
			return p
		}
	}
	items.ReadToken()
	if _, err := items.ReadToken(); err != io.EOF {
		return causeBadJSON.Say("expected an array of events and nothing after it")
	}
	return nil
}

// receiptBytesMax is the length of a receipt, with a comma.
const receiptBytesMax = len(`{"id":"","duplicate":true},`) + eventid.MaxPositionBytes

// appendReceipt appends what the publisher of one event is told, as JSON.
func appendReceipt(dst []byte, r fanin.Receipt) []byte {
	dst = append(dst, `{"id":"`...)
	dst = r.ID.Append(dst)
	dst = append(dst, '"')
	if r.Duplicate {
		dst = append(dst, `,"duplicate":true`...)
	}
	return append(dst, '}')
}
