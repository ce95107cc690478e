using '../main.bicep'

// What `azd up` makes of an environment that names models of its own and nothing else.
param environmentName = 'default'
param location = 'swedencentral'
param principalId = '22222222-2222-2222-2222-222222222222'
param apiKeys = 'default:not-a-key-0123456789'
param modelEndpoint = 'https://api.openai.com/v1'
param modelKey = 'not-a-key'
param embeddingModel = 'text-embedding-3-small'
param embeddingEndpoint = 'https://embeddings.example.com/v1'
param embeddingKey = 'not-a-key'
