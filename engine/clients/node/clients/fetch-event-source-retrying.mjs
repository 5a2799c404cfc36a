import { fetchEventSource, EventStreamContentType } from '@microsoft/fetch-event-source'
import { bearer } from './standard.mjs'

class Again extends Error {}
class Fatal extends Error {}

// As the second example of its README: an end is an error, and so is a refusal, which is
// final only if it is the client's fault.
export default ({ url, key }, say) => {
  fetchEventSource(url, {
    headers: bearer(key),
    async onopen (response) {
      if (response.ok && response.headers.get('content-type')?.startsWith(EventStreamContentType)) return say('open')
      if (response.status >= 400 && response.status < 500 && response.status !== 429) throw new Fatal(String(response.status))
      throw new Again(String(response.status))
    },
    onmessage: m => say('message', { type: m.event || 'message', data: m.data, id: m.id }),
    onclose () { throw new Again('the stream ended') },
    onerror (e) { if (e instanceof Fatal) throw e }
  }).then(() => say('ended', { why: 'resolved' }), e => say('ended', { why: String(e) }))
}
