/** Query strings of URLs. */

/**
 * Parameters as a query string in which the separators of a value stay readable. RFC 3986 allows
 * these characters there; URLSearchParams escapes them.
 *
 * @param {URLSearchParams} params
 */
export const readable = (params) =>
  params.toString().replace(/%(?:2C|3A|3B)/g, decodeURIComponent);
