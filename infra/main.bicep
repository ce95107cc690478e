import { developerType } from 'modules/types.bicep'

targetScope = 'subscription'

@description('Name of the azd environment: part of the resource group\'s name, and a tag of everything.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Region of everything. It must offer Flex Consumption: az functionapp list-flexconsumption-locations.')
@minLength(1)
@metadata({ azd: { type: 'location' } })
param location string

@description('Object id of who deploys. azd tells it.')
param principalId string = ''

@description('What principalId is: a pipeline is a ServicePrincipal.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param principalType string = 'User'

@description('Whether who deploys may also read and write the data, for checks and debugging.')
param developerAccess bool = false

@description('API_KEYS of the app: tenant:key, comma separated. Empty: the vault keeps the keys that it has.')
@secure()
param apiKeys string = ''

@description('Base URL of an OpenAI-compatible model of your own.')
param modelEndpoint string = ''

@description('MODEL_API_VERSION of the app: only for the dated API of Azure OpenAI.')
param modelApiVersion string = ''

@description('Key of that model. Empty: the app signs in with its identity.')
@secure()
param modelKey string = ''

@description('MODEL_NAMES of the app: old=new, comma separated.')
param modelNames string = ''

@description('Model to deploy in an Azure OpenAI resource of its own. Empty: modelEndpoint is used.')
param chatModel string = ''

@description('Version of that model. Empty: the one that Azure gives new deployments.')
param chatModelVersion string = ''

@description('Thousands of tokens a minute of that model.')
@minValue(1)
param chatModelCapacity int = 50

@description('EMBEDDING_MODEL of the app. With chatModel it is deployed beside it, unless embeddingEndpoint is set.')
param embeddingModel string = ''

@description('EMBEDDING_ENDPOINT of the app: where that model is, if it is not where the chat model is.')
param embeddingEndpoint string = ''

@description('EMBEDDING_API_VERSION of the app: only for the dated API of Azure OpenAI.')
param embeddingApiVersion string = ''

@description('Key of embeddingEndpoint. Empty: the app signs in with its identity.')
@secure()
param embeddingKey string = ''

@description('Thousands of tokens a minute of an embedding model that is deployed.')
@minValue(1)
param embeddingModelCapacity int = 50

@description('More settings of the app: NAME=value, separated by semicolons. No secrets.')
param appSettings string = ''

@description('Version of Node.')
@allowed(['22', '24'])
param nodeVersion string = '24'

@description('Memory of an instance. 512 has a quarter of a core, 2048 has one.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Most instances, of all functions together.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that always wait for requests.')
@minValue(0)
param httpAlwaysReady int = 0

@description('Instances that always wait for background runs.')
@minValue(0)
param workerAlwaysReady int = 0

@description('Requests that one instance takes before another one starts. A stream is a request until its run ends.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 100

@description('How instances are replaced. RollingUpdate lets them end their work; it is in public preview.')
@allowed(['Recreate', 'RollingUpdate'])
param updateStrategy string = 'Recreate'

@description('Spread over availability zones. Cosmos DB and storage cannot change it later.')
param zoneRedundant bool = false

@description('How request units of Cosmos DB are paid. An account cannot change it.')
@allowed(['serverless', 'autoscale'])
param cosmosCapacity string = 'serverless'

@description('Most request units a second of each container, if autoscale.')
@minValue(1000)
param cosmosMaxThroughput int = 1000

@description('Default consistency of Cosmos DB. The app wants Strong.')
@allowed(['Strong', 'Session'])
param cosmosConsistency string = 'Strong'

@description('Dimensions of the embeddings of vector stores. A container cannot change it.')
@minValue(1)
@maxValue(4096)
param embeddingDimensions int = 256

@description('Tier of Service Bus. A private network always has Premium.')
@allowed(['Standard', 'Premium'])
param serviceBusSku string = 'Standard'

@description('Close every service but the API to the internet.')
param privateNetwork bool = false

@description('A deleted vault, and its name, stays for a week and cannot be purged.')
param purgeProtection bool = false

@description('Create a pool of sandboxes, in which the code interpreter runs. Without one that tool is not offered.')
param codeSessions bool = true

@description('Region of the pool, if the app\'s own has none.')
param codeSessionsLocation string = ''

@description('Sandboxes at once, at the most: bounds their cost. A run that finds all taken tries again.')
@minValue(5)
@maxValue(600)
param codeSessionsMaximum int = 100

@description('Address that gets a mail for each alert. Empty: alerts on metrics only, shown in the portal.')
param alertEmail string = ''

var tags = { 'azd-env-name': environmentName }
var token = uniqueString(subscription().id, environmentName, location)
var name = 'threadkeep-${token}'
// Known before anything is deployed, as the names of role assignments must be.
var identityId = resourceId(
  subscription().subscriptionId,
  'rg-${environmentName}',
  'Microsoft.ManagedIdentity/userAssignedIdentities',
  'id-${name}'
)

var developer developerType? = developerAccess && !empty(principalId)
  ? { principalId: principalId, principalType: principalType }
  : null

var deploysModel = !empty(chatModel)
// The model of its own takes no keys.
var hasModelKey = !deploysModel && !empty(modelKey)
// The key of an endpoint of its own: without one, MODEL_KEY is what counts.
var hasEmbeddingKey = !empty(embeddingEndpoint) && !empty(embeddingKey)
var givenEndpoint = deploysModel || !empty(modelEndpoint)
  ? modelEndpoint
  : fail('No model: azd env set CHAT_MODEL <name>, or azd env set MODEL_ENDPOINT <base URL>')
// The platform keeps two ready instances of a group in a plan with zones, and refuses one.
var readyCounts = zoneRedundant && (httpAlwaysReady == 1 || workerAlwaysReady == 1)
  ? fail('With ZONE_REDUNDANT, HTTP_ALWAYS_READY and WORKER_ALWAYS_READY are 0 or at least 2')
  : { http: httpAlwaysReady, worker: workerAlwaysReady }

var moreSettings = toObject(
  filter(map(split(appSettings, ';'), entry => trim(entry)), entry => !empty(entry)),
  entry =>
    contains(entry, '=')
      ? trim(substring(entry, 0, indexOf(entry, '=')))
      : fail('APP_SETTINGS is not NAME=value;NAME=value'),
  entry => trim(substring(entry, indexOf(entry, '=') + 1))
)

// Groups of private link, and the private DNS zone of each.
var links = [
  { of: 'storage', groupId: 'blob', zoneName: 'privatelink.blob.${environment().suffixes.storage}' }
  { of: 'storage', groupId: 'table', zoneName: 'privatelink.table.${environment().suffixes.storage}' }
  { of: 'cosmos', groupId: 'Sql', zoneName: 'privatelink.documents.azure.com' }
  { of: 'serviceBus', groupId: 'namespace', zoneName: 'privatelink.servicebus.windows.net' }
  { of: 'vault', groupId: 'vault', zoneName: 'privatelink.vaultcore.azure.net' }
  { of: 'model', groupId: 'account', zoneName: 'privatelink.openai.azure.com' }
]

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

// The identity comes first and the app last: when the app starts, it has all its roles.
module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    name: 'id-${name}'
    tags: tags
  }
}

module telemetry 'modules/telemetry.bicep' = {
  scope: group
  params: {
    identityId: identityId
    identityPrincipalId: identity.outputs.principalId
    location: location
    name: name
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    identityId: identityId
    identityPrincipalId: identity.outputs.principalId
    location: location
    name: 'st${token}'
    privateNetwork: privateNetwork
    tags: tags
    zoneRedundant: zoneRedundant
  }
}

module cosmos 'modules/cosmos.bicep' = {
  scope: group
  params: {
    capacity: cosmosCapacity
    consistency: cosmosConsistency
    developer: developer
    embeddingDimensions: embeddingDimensions
    identityId: identityId
    identityPrincipalId: identity.outputs.principalId
    location: location
    maxThroughput: cosmosMaxThroughput
    name: 'cosmos-${name}'
    privateNetwork: privateNetwork
    tags: tags
    workspaceId: telemetry.outputs.workspaceId
    zoneRedundant: zoneRedundant
  }
}

module serviceBus 'modules/service-bus.bicep' = {
  scope: group
  params: {
    developer: developer
    identityId: identityId
    identityPrincipalId: identity.outputs.principalId
    location: location
    name: 'sb-${name}'
    privateNetwork: privateNetwork
    // Standard has no private endpoints.
    sku: privateNetwork ? 'Premium' : serviceBusSku
    tags: tags
    workspaceId: telemetry.outputs.workspaceId
  }
}

module vault 'modules/key-vault.bicep' = {
  scope: group
  params: {
    apiKeys: apiKeys
    developer: developer
    embeddingKey: embeddingKey
    hasEmbeddingKey: hasEmbeddingKey
    hasModelKey: hasModelKey
    identityId: identityId
    identityPrincipalId: identity.outputs.principalId
    location: location
    modelKey: modelKey
    name: 'kv-${token}'
    privateNetwork: privateNetwork
    purgeProtection: purgeProtection
    tags: tags
    workspaceId: telemetry.outputs.workspaceId
  }
}

module model 'modules/model.bicep' = if (deploysModel) {
  scope: group
  params: {
    capacity: chatModelCapacity
    chatModel: chatModel
    chatModelVersion: chatModelVersion
    embeddingCapacity: embeddingModelCapacity
    embeddingModel: empty(embeddingEndpoint) ? embeddingModel : ''
    identityId: identityId
    identityPrincipalId: identity.outputs.principalId
    location: location
    name: 'oai-${name}'
    privateNetwork: privateNetwork
    tags: tags
  }
}

module sessions 'modules/code-sessions.bicep' = if (codeSessions) {
  scope: group
  params: {
    developer: developer
    identityId: identityId
    identityPrincipalId: identity.outputs.principalId
    location: empty(codeSessionsLocation) ? location : codeSessionsLocation
    maximumSessions: codeSessionsMaximum
    name: 'sp${token}'
    tags: tags
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  params: {
    location: location
    name: name
    tags: tags
  }
}

module endpoints 'modules/private-endpoint.bicep' = [
  for link in filter(links, link => privateNetwork && (link.of != 'model' || deploysModel)): {
    scope: group
    params: {
      groupId: link.groupId
      location: location
      name: 'pe-${toLower(link.groupId)}-${name}'
      resourceId: {
        cosmos: cosmos.outputs.id
        model: model.?outputs.id
        serviceBus: serviceBus.outputs.id
        storage: storage.outputs.id
        vault: vault.outputs.id
      }[link.of]
      subnetId: network.?outputs.endpointSubnetId ?? ''
      tags: tags
      virtualNetworkId: network.?outputs.id ?? ''
      zoneName: link.zoneName
    }
  }
]

module app 'modules/function-app.bicep' = {
  scope: group
  params: {
    appSettings: union(moreSettings, {
      // Names with __ are an identity's. Azure prefers the names without them, so those must not exist, not even empty.
      AzureWebJobsStorage__accountName: storage.outputs.name
      AzureWebJobsStorage__clientId: identity.outputs.clientId
      AzureWebJobsStorage__credential: 'managedidentity'
      ServiceBusConnection__clientId: identity.outputs.clientId
      ServiceBusConnection__credential: 'managedidentity'
      ServiceBusConnection__fullyQualifiedNamespace: serviceBus.outputs.fullyQualifiedNamespace
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.outputs.clientId};Authorization=AAD'
      APPLICATIONINSIGHTS_CONNECTION_STRING: telemetry.outputs.connectionString
      AzureWebJobsDisableHomepage: 'true'
      AZURE_CLIENT_ID: identity.outputs.clientId
      BLOBS_ENDPOINT: storage.outputs.blobEndpoint
      // A file of 512 MB and what surrounds it in its request: the host's own limit is 100 MB.
      FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '545259520'
      API_KEYS: '@Microsoft.KeyVault(SecretUri=${vault.outputs.apiKeysSecretUri})'
      CODE_SESSIONS_ENDPOINT: sessions.?outputs.endpoint ?? ''
      COSMOS_DATABASE: cosmos.outputs.database
      COSMOS_ENDPOINT: cosmos.outputs.endpoint
      EMBEDDING_API_VERSION: embeddingApiVersion
      EMBEDDING_DIMENSIONS: string(embeddingDimensions)
      EMBEDDING_ENDPOINT: embeddingEndpoint
      EMBEDDING_KEY: hasEmbeddingKey ? '@Microsoft.KeyVault(SecretUri=${vault.outputs.embeddingKeySecretUri})' : ''
      EMBEDDING_MODEL: embeddingModel
      MODEL_API_VERSION: deploysModel ? '' : modelApiVersion
      MODEL_ENDPOINT: model.?outputs.endpoint ?? givenEndpoint
      MODEL_KEY: hasModelKey ? '@Microsoft.KeyVault(SecretUri=${vault.outputs.modelKeySecretUri})' : ''
      MODEL_NAMES: modelNames
    })
    deploymentContainerUrl: storage.outputs.deploymentContainerUrl
    httpAlwaysReady: readyCounts.http
    httpConcurrency: httpConcurrency
    identityId: identityId
    instanceMemoryMB: instanceMemoryMB
    location: location
    maximumInstanceCount: maximumInstanceCount
    name: name
    nodeVersion: nodeVersion
    subnetId: network.?outputs.appSubnetId
    tags: tags
    updateStrategy: updateStrategy
    workerAlwaysReady: readyCounts.worker
    zoneRedundant: zoneRedundant
  }
  // Without them the first start would not find the services by their names.
  dependsOn: [endpoints]
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    appInsightsId: telemetry.outputs.appInsightsId
    cosmosId: cosmos.outputs.id
    email: alertEmail
    location: location
    serviceBusId: serviceBus.outputs.id
    tags: tags
    workspaceId: telemetry.outputs.workspaceId
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: {
    appInsightsId: telemetry.outputs.appInsightsId
    cosmosId: cosmos.outputs.id
    location: location
    serviceBusId: serviceBus.outputs.id
    tags: tags
    workspaceId: telemetry.outputs.workspaceId
  }
}

@description('Resource group of everything.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output AZURE_FUNCTION_NAME string = app.outputs.name

@description('Name of the vault with the API keys.')
output AZURE_KEY_VAULT_NAME string = vault.outputs.name

@description('Base URL for OpenAI\'s clients.')
output THREADKEEP_BASE_URL string = app.outputs.baseUrl

@description('Object id of the app\'s identity: for roles on a model of your own.')
output THREADKEEP_PRINCIPAL_ID string = identity.outputs.principalId

@description('COSMOS_ENDPOINT, for npm run check:store and npm run first-hour.')
output COSMOS_ENDPOINT string = cosmos.outputs.endpoint

@description('ServiceBusConnection__fullyQualifiedNamespace, for npm run first-hour.')
output SERVICE_BUS_NAMESPACE string = serviceBus.outputs.fullyQualifiedNamespace

@description('The pool of sandboxes, or nothing.')
output CODE_SESSIONS_ENDPOINT string = sessions.?outputs.endpoint ?? ''
