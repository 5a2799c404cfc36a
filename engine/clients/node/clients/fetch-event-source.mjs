import { fetchEventSource } from '@microsoft/fetch-event-source'
import { bearer } from './standard.mjs'

// As the first example of its README.
export default ({ url, key }, say) => {
  fetchEventSource(url, {
    headers: bearer(key),
    onmessage: m => say('message', { type: m.event || 'message', data: m.data, id: m.id })
  }).then(() => say('ended', { why: 'resolved' }), e => say('ended', { why: String(e) }))
}
