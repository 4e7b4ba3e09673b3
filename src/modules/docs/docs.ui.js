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
  // The document names the public address. What is tried here is tried at the host that has shown the page.
  responseInterceptor: (response) => {
    if (new URL(response.url).pathname !== '/openapi.json') return response
    const spec = { ...JSON.parse(response.text), servers: [{ url: location.origin }] }
    return { ...response, text: JSON.stringify(spec), body: spec, obj: spec }
  },
})
