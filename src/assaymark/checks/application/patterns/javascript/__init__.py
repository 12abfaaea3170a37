"""JavaScript and TypeScript, for Node and for browsers, JSX included."""
