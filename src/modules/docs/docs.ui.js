// Starts Swagger UI on `/docs`, in the colours that the person's system asks for.
const dark = matchMedia('(prefers-color-scheme: dark)')
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', follow)
follow()

globalThis.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#api',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  defaultModelRendering: 'example',
  displayRequestDuration: true,
  validatorUrl: null,
  responseInterceptor: (response) => {
    if (new URL(response.url).pathname !== '/openapi.json') return response
    const spec = shown(JSON.parse(response.text))
    return { ...response, text: JSON.stringify(spec), body: spec, obj: spec }
  },
})

/**
 * The document names the public address: what is tried here is tried at the host that has shown the page. Of an error,
 * which always looks the same, the reasons are shown: to render each body would make the page several times slower.
 */
function shown({ paths, ...rest }) {
  for (const { responses } of Object.values(paths).flatMap(Object.values))
    for (const status of Object.keys(responses))
      if (status >= '400') responses[status] = { description: responses[status].description }
  return { ...rest, paths, servers: [{ url: location.origin }] }
}
