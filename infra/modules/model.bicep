import { roles } from 'roles.bicep'
import { tagsType } from 'types.bicep'

@description('Thousands of tokens a minute.')
param capacity int

@description('Name of the model, and of its deployment.')
param chatModel string

@description('Version of the model. Empty: the one that Azure gives new deployments.')
param chatModelVersion string

@description('Thousands of tokens a minute of the embedding model.')
param embeddingCapacity int

@description('Name of an embedding model, and of its deployment. Empty for none.')
param embeddingModel string

@description('Resource id of the app\'s identity.')
param identityId string

@description('Object id of the app\'s identity.')
param identityPrincipalId string

@description('Region.')
param location string

@description('Name of the account, and of its subdomain.')
param name string

@description('Close the account to the internet.')
param privateNetwork bool

@description('Tags.')
param tags tagsType

var openAIUser = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.cognitiveServicesOpenAIUser)

resource account 'Microsoft.CognitiveServices/accounts@2025-09-01' = {
  name: name
  location: location
  tags: tags
  kind: 'AIServices'
  sku: { name: 'S0' }
  identity: { type: 'SystemAssigned' }
  properties: {
    // Without a subdomain of its own an account takes no identities.
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: { defaultAction: privateNetwork ? 'Deny' : 'Allow' }
  }

  resource chat 'deployments' = {
    name: chatModel
    sku: { name: 'GlobalStandard', capacity: capacity }
    properties: {
      model: {
        format: 'OpenAI'
        name: chatModel
        ...(empty(chatModelVersion) ? {} : { version: chatModelVersion })
      }
      versionUpgradeOption: 'OnceNewDefaultVersionAvailable'
    }
  }

  resource embedding 'deployments' = if (!empty(embeddingModel)) {
    name: empty(embeddingModel) ? 'none' : embeddingModel
    sku: { name: 'GlobalStandard', capacity: embeddingCapacity }
    properties: {
      model: { format: 'OpenAI', name: embeddingModel }
      // Vectors of two versions cannot be compared.
      versionUpgradeOption: 'NoAutoUpgrade'
    }
    // An account takes one change of its deployments at a time.
    dependsOn: [chat]
  }
}

resource appCalls 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, identityId, openAIUser)
  scope: account
  properties: {
    roleDefinitionId: openAIUser
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
  }
}

@description('MODEL_ENDPOINT of the app.')
output endpoint string = 'https://${account.properties.customSubDomainName}.openai.azure.com/openai/v1'

@description('Resource id of the account.')
output id string = account.id
