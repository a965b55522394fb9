/** What a text of JSON says. @param {string} text @returns {unknown} */
export const jsonIn = (text) => JSON.parse(text);
