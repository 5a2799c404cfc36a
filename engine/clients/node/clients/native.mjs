import { listen } from './standard.mjs'

// The browser's own. It has no way to send a key.
export default ({ url, names }, say) => listen(new EventSource(url), names, say)
