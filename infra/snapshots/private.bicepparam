using '../main.bicep'

// Every option that makes resources or changes them.
param environmentName = 'private'
param location = 'swedencentral'
param principalId = '22222222-2222-2222-2222-222222222222'
param developerAccess = true
param apiKeys = 'default:not-a-key-0123456789'
param chatModel = 'gpt-5.4-mini'
param modelKey = 'not-a-key'
param embeddingModel = 'text-embedding-3-small'
param appSettings = 'RUN_LIFETIME=1200; MODEL_CONTEXT_TOKENS=200000;'
param privateNetwork = true
param zoneRedundant = true
param httpAlwaysReady = 2
param workerAlwaysReady = 2
param updateStrategy = 'RollingUpdate'
param cosmosCapacity = 'autoscale'
param cosmosMaxThroughput = 4000
param purgeProtection = true
param codeSessions = true
param codeSessionsLocation = 'northeurope'
param codeSessionsMaximum = 20
param alertEmail = 'ops@example.com'
